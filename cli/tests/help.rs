//! Help, completions and manual: they list what there is, and docs/cli.md lists it too.
mod common;

use common::{command, run, topk};

const DOCUMENT: &str = include_str!("../../docs/cli.md");

/// The commands that the help lists, but for `help` itself.
fn commands() -> Vec<String> {
    let help = topk("--help").ok();
    let after = help.split_once("Commands:\n").expect("a list of commands").1;
    let lines = after.lines().take_while(|line| !line.is_empty());
    let names = lines.filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_string).collect()
}

#[test]
fn every_command_teaches_by_examples() {
    let commands = commands();
    assert!(commands.len() >= 6, "{commands:?}");
    for name in commands {
        let run = topk(&format!("{name} --help"));
        assert_eq!(run.stderr, "");
        let help = run.ok();
        assert!(help.contains("Examples:"), "{name}: {help}");
        assert!(help.contains(&format!("    topk {name}")), "{name}: {help}");
    }
}

#[test]
fn the_document_lists_every_command_and_exit_code() {
    for name in commands() {
        assert!(DOCUMENT.contains(&format!("| `topk {name}` |")), "docs/cli.md lacks {name}");
    }
    let help = topk("--help").ok();
    let codes = help.split_once("Exit codes:\n").expect("a list of codes").1;
    let codes: Vec<&str> = codes.lines().take_while(|line| !line.is_empty()).collect();
    assert_eq!(codes.len(), 5);
    for line in codes {
        let (code, meaning) = line.trim().split_once("  ").expect("code and meaning");
        let row = format!("| {code} | {meaning} |");
        assert!(DOCUMENT.contains(&row), "docs/cli.md lacks {row}");
    }
}

#[test]
fn every_shell_gets_a_script_that_knows_the_commands() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = topk(&format!("completions {shell}")).ok();
        for name in commands() {
            assert!(script.contains(&name), "{shell} lacks {name}");
        }
        assert!(script.contains("stage1-warps") && script.contains("singlepass"), "{shell}");
    }
    topk("completions csh").fails(2, &["'csh'", "bash"]);
}

#[test]
fn the_manual_has_a_page_for_every_command() {
    let page = topk("man").ok();
    assert!(page.contains(".TH topk 1") && page.contains("Exit codes"), "{page}");
    for name in commands() {
        let page = topk(&format!("man {name}")).ok();
        assert!(page.contains(&format!(".TH topk-{name} 1")), "{page}");
        assert!(page.contains("Examples"), "{page}");
    }
    topk("man pick").fails(2, &["\"pick\"", "select", "doctor"]);
}

#[test]
fn help_has_colours_only_where_they_are_wanted() {
    assert!(!topk("--help").ok().contains('\x1b'));
    assert!(topk("--color always --help").ok().contains('\x1b'));
    let table = "select --input random:1 --batch 1 --vocab 9 --top-k 2 --device cpu";
    assert!(topk(&format!("{table} --color always")).ok().contains('\x1b'));
    let mut command = command(&table.split(' ').collect::<Vec<_>>());
    command.env("CLICOLOR_FORCE", "1");
    assert!(!run(command).ok().contains('\x1b'));
}
