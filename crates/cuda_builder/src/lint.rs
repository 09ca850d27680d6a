//! Refuses PTX that would be slow or would not load.
//!
//! What is refused is never meant: it comes from an optimisation that did not happen, a panic that
//! was not ruled out, or an array that did not fit in registers. Better an error that names the
//! line than a kernel that is quietly slower.

use std::fmt;

use crate::Arch;

/// State spaces an access may name. Local memory is refused where it is declared.
const SPACES: &[&str] = &["global", "shared", "param", "const", "local"];

/// One place in the PTX at fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The kernel or function; empty outside of any.
    pub function: String,
    /// The line of the compiler's output, from 1 on; 0 where no line is at fault.
    pub line: usize,
    /// What is wrong.
    pub rule: Rule,
    /// The line's text, or what else the rule is about.
    pub text: String,
}

/// What is wrong with a line of PTX.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rule {
    /// An access through a generic address, which the hardware must first tell apart.
    GenericAccess,
    /// A call: something was not inlined, or a panic was not ruled out.
    Call,
    /// Local memory: a stack frame in global memory.
    LocalMemory,
    /// A function or variable that nothing defines, so that the PTX cannot be loaded.
    Undefined,
    /// The compiler's output is not for the generation that was asked for.
    WrongTarget,
    /// A launch marker that names no kernel.
    MarkerWithoutKernel,
    /// A launch marker that has no directives, or that repeats a kernel.
    BadMarker,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::GenericAccess => "memory access without a state space",
            Self::Call => "call (not inlined, or a panic that was not ruled out)",
            Self::LocalMemory => "local memory (a run-time index, or an array too large)",
            Self::Undefined => "declared but defined nowhere",
            Self::WrongTarget => "compiled for another target than",
            Self::MarkerWithoutKernel => "launch marker without a kernel of that name",
            Self::BadMarker => "launch marker without directives, or for a kernel that has one",
        })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { function, line, rule, text } = self;
        let function = if function.is_empty() { "(module)" } else { function };
        match line {
            0 => write!(f, "{function}: {rule}: {text}"),
            _ => write!(f, "{function}, line {line}: {rule}: {text}"),
        }
    }
}

/// Everything in the compiler's output `asm` that is refused.
pub(crate) fn check(asm: &str, arch: Arch) -> Vec<Finding> {
    let mut findings = Vec::new();
    let (mut function, mut in_kernel) = ("", true);
    for (index, line) in asm.lines().enumerate() {
        let code = line.split("//").next().unwrap_or("").trim();
        if let Some(name) = entered_function(code) {
            (function, in_kernel) = (name, entered_kernel(code).is_some());
        }
        for rule in code.split(';').filter_map(|part| broken_rule(bare(part))) {
            // A kernel gets into a function by a call only, and that is refused already: what the
            // panic machinery does inside would only bury it.
            if !in_kernel && rule != Rule::Undefined {
                continue;
            }
            findings.push(Finding {
                function: function.to_string(),
                line: index + 1,
                rule,
                text: code.split_whitespace().collect::<Vec<_>>().join(" "),
            });
        }
        if line.starts_with('}') {
            (function, in_kernel) = ("", true);
        }
    }
    if !asm.lines().any(|line| line.trim() == format!(".target {arch}")) {
        let rule = Rule::WrongTarget;
        findings.push(Finding { function: String::new(), line: 0, rule, text: arch.to_string() });
    }
    findings
}

/// The name of the kernel or function whose head is on this line.
fn entered_function(code: &str) -> Option<&str> {
    if let Some(name) = entered_kernel(code) {
        return Some(name);
    }
    let (_, head) = code.split_once(".func ")?;
    // A return value stands in parentheses before the name.
    let head = head.trim_start();
    let head = if head.starts_with('(') { head.split_once(')')?.1 } else { head };
    Some(head.split('(').next().unwrap_or(head).trim())
}

/// The name of the kernel whose head is on this line.
pub(crate) fn entered_kernel(code: &str) -> Option<&str> {
    let (_, head) = code.split_once(".entry ")?;
    Some(head.split('(').next().unwrap_or(head).trim())
}

/// A statement without the braces, labels and predicate before it.
fn bare(statement: &str) -> &str {
    let mut rest = statement.trim_start_matches(|c: char| c.is_whitespace() || "{}".contains(c));
    while let Some((first, after)) = rest.split_once(char::is_whitespace) {
        if !first.starts_with('@') && !first.ends_with(':') {
            break;
        }
        rest = after.trim_start();
    }
    rest
}

fn broken_rule(statement: &str) -> Option<Rule> {
    let operation = statement.split_whitespace().next().unwrap_or("");
    let (verb, qualifiers) = operation.split_once('.').unwrap_or((operation, ""));
    let spaced = || qualifiers.split('.').any(|word| SPACES.contains(&space(word)));
    match verb {
        "ld" | "st" | "atom" | "red" if !spaced() => Some(Rule::GenericAccess),
        "call" => Some(Rule::Call),
        "" if qualifiers == "local" => Some(Rule::LocalMemory),
        // Shared memory whose size the launch decides is declared so, and needs no definition.
        "" if qualifiers == "extern" && !statement.contains(" .shared") => Some(Rule::Undefined),
        _ => None,
    }
}

/// A qualifier without its sub-space: `shared` of `shared::cluster`.
fn space(qualifier: &str) -> &str {
    qualifier.split("::").next().unwrap_or(qualifier)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rules that a kernel with these lines breaks.
    fn rules(lines: &str) -> Vec<Rule> {
        let asm = format!(".target sm_90\n.visible .entry k(\n)\n{{\n{lines}\n}}\n");
        check(&asm, Arch::Sm90).into_iter().map(|finding| finding.rule).collect()
    }

    #[test]
    fn accesses_with_a_state_space_pass() {
        for line in [
            "ld.param.u64 %rd1, [k_param_0];",
            "@%p1 ld.global.nc.L1::no_allocate.v4.b32 {%r1, %r2, %r3, %r4}, [%rd1];",
            "$L__BB0_1: st.shared.u32 [%r1], %r2;",
            "atom.acq_rel.gpu.global.add.u32 %r1, [%rd1], %r2;",
            "red.async.mbarrier::complete_tx::bytes.shared::cluster.add.u32 [a], b;",
            "redux.sync.max.u32 %r1, %r2, -1;",
            "bar.sync 0; // call it a day",
            ".extern .shared .align 128 .b8 dynamic[];",
        ] {
            assert_eq!(rules(line), [], "{line}");
        }
    }

    #[test]
    fn each_rule_fires() {
        for (line, rule) in [
            ("ld.u32 %r1, [%rd1];", Rule::GenericAccess),
            ("@!%p1 st.v4.b32 [%rd1], {%r1, %r2, %r3, %r4};", Rule::GenericAccess),
            ("mov.b32 %r1, 0; atom.add.u32 %r1, [%rd1], %r2;", Rule::GenericAccess),
            ("{ red.relaxed.gpu.add.u32 [%rd1], %r2; }", Rule::GenericAccess),
            ("call.uni panic, (param0);", Rule::Call),
            ("call (retval0), f;", Rule::Call),
            (".local .align 16 .b8 __local_depot0[304];", Rule::LocalMemory),
            (".extern .func panic", Rule::Undefined),
            (".extern .global .align 4 .u32 missing;", Rule::Undefined),
        ] {
            assert_eq!(rules(line), [rule], "{line}");
        }
    }

    #[test]
    fn findings_name_the_function_and_the_line() {
        let asm = ".target sm_80\n.func (.param .b32 r) helper(\n)\n{\n\tcall x;\n}\n\
                   .extern .func x\n.visible .entry k()\n{\n\tld.u32 %r1, [%rd1];\n}\n";
        let places: Vec<_> =
            check(asm, Arch::Sm80).into_iter().map(|found| (found.function, found.line)).collect();
        // The helper's own call is left out: to get there takes a call from a kernel.
        let expected = [("x".into(), 7), ("k".into(), 10)];
        assert_eq!(places, expected);
    }

    #[test]
    fn another_target_is_refused() {
        let findings = check(".target sm_75\n", Arch::Sm80);
        assert_eq!(findings[0].to_string(), "(module): compiled for another target than: sm_80");
    }
}
