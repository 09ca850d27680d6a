//! What `topk doctor` found: lines under headings for people, one JSON object for programs.
use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{buffered, counted};
use crate::error::Error;
use crate::terminal;

/// How a thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As it should be.
    Ok,
    /// Usable, but perhaps not as somebody meant it.
    Warning,
    /// Not usable.
    Failure,
}

impl Status {
    fn mark(self) -> (&'static str, &'static str) {
        match self {
            Status::Ok => ("ok", terminal::GREEN),
            Status::Warning => ("warning", terminal::YELLOW),
            Status::Failure => ("failure", terminal::RED),
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// The heading that it stands under.
    pub section: &'static str,
    /// How it is.
    pub status: Status,
    /// What it is, for people.
    pub text: String,
    /// What to do about it, unless it is as it should be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// The same for programs.
    #[serde(flatten)]
    pub facts: Map<String, Value>,
    /// What the process ends with for it.
    #[serde(skip)]
    pub exit_code: u8,
}

impl Finding {
    /// Something that is as it should be.
    pub fn ok(section: &'static str, text: impl Into<String>) -> Finding {
        let (text, facts) = (text.into(), Map::new());
        Finding { section, status: Status::Ok, text, remedy: None, facts, exit_code: 0 }
    }

    /// Something that is perhaps not meant.
    pub fn warning(
        section: &'static str,
        text: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Finding {
        let remedy = Some(remedy.into());
        Finding { status: Status::Warning, remedy, ..Finding::ok(section, text) }
    }

    /// Something that does not work; the process ends with this code.
    pub fn failure(
        section: &'static str,
        exit_code: u8,
        text: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Finding {
        let remedy = Some(remedy.into());
        Finding { status: Status::Failure, remedy, exit_code, ..Finding::ok(section, text) }
    }

    /// The same with a fact for programs.
    pub fn fact(mut self, key: &str, value: impl Into<Value>) -> Finding {
        self.facts.insert(key.to_string(), value.into());
        self
    }

    /// The same, but that nothing depends on it.
    pub fn harmless(self) -> Finding {
        match self.status {
            Status::Failure => Finding { status: Status::Warning, exit_code: 0, ..self },
            _ => self,
        }
    }
}

/// What the process ends with: the code of the first failure.
pub fn exit_code(findings: &[Finding]) -> u8 {
    findings.iter().map(|finding| finding.exit_code).find(|&code| code != 0).unwrap_or(0)
}

/// Prints them under their headings, and what they come to.
pub fn print(findings: &[Finding]) -> Result<(), Error> {
    buffered(|out| {
        let mut section = "";
        for finding in findings {
            if finding.section != section {
                section = finding.section;
                let space = if finding.section == findings[0].section { "" } else { "\n" };
                writeln!(out, "{space}{section}")?;
            }
            write_finding(out, finding)?;
        }
        Ok(writeln!(out, "\n{}", conclusion(findings))?)
    })
}

fn write_finding(out: &mut impl Write, finding: &Finding) -> Result<(), Error> {
    let (word, colour) = finding.status.mark();
    let mark = terminal::coloured(&io::stdout(), colour, word);
    writeln!(out, "  {mark}{:width$}  {}", "", finding.text, width = 7 - word.len())?;
    if let Some(remedy) = &finding.remedy {
        writeln!(out, "           remedy: {remedy}")?;
    }
    Ok(())
}

fn conclusion(findings: &[Finding]) -> String {
    let count = |status| findings.iter().filter(|finding| finding.status == status).count();
    let failures = counted(count(Status::Failure), "failure", "failures");
    let warnings = counted(count(Status::Warning), "warning", "warnings");
    match (count(Status::Failure), count(Status::Warning)) {
        (0, 0) => "All is well.".to_string(),
        (0, _) => format!("It works, with {warnings}."),
        (_, 0) => format!("It does not work: {failures}."),
        _ => format!("It does not work: {failures}, {warnings}."),
    }
}

/// Prints them as one JSON object.
pub fn print_json(findings: &[Finding]) -> Result<(), Error> {
    let report = json!({
        "schema": 1,
        "version": env!("CARGO_PKG_VERSION"),
        "exit_code": exit_code(findings),
        "findings": findings,
    });
    buffered(|out| {
        serde_json::to_writer_pretty(&mut *out, &report)?;
        Ok(writeln!(out)?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_conclusion_counts() {
        let ok = Finding::ok("a", "b");
        let warning = Finding::warning("a", "b", "c");
        let failure = Finding::failure("a", 3, "b", "c");
        assert_eq!(conclusion(std::slice::from_ref(&ok)), "All is well.");
        let two = [ok, warning.clone(), warning.clone()];
        assert_eq!((conclusion(&two).as_str(), exit_code(&two)), ("It works, with 2 warnings.", 0));
        let three = [failure.clone(), warning, Finding::failure("a", 2, "b", "c")];
        assert_eq!(conclusion(&three), "It does not work: 2 failures, 1 warning.");
        assert_eq!(exit_code(&three), 3);
        assert_eq!(exit_code(&[failure.harmless()]), 0);
    }
}
