//! `cargo xtask header`: makes capi/include/aikf_topk.h from the sources of the C interface.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::repository;

/// The arguments of `cargo xtask header`.
#[derive(clap::Args)]
pub struct Args {
    /// Change nothing; fail if the header differs from what the sources give
    #[arg(long)]
    check: bool,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<()> {
    let (path, fresh) = (path(), generate()?);
    if args.check {
        let committed = fs::read_to_string(&path).context("capi/include/aikf_topk.h")?;
        check(&committed, &fresh)?;
        println!("{} is what the sources give", path.display());
    } else {
        fs::write(&path, fresh).with_context(|| path.display().to_string())?;
        println!("{} is written", path.display());
    }
    Ok(())
}

fn path() -> PathBuf {
    repository::root().join("capi/include/aikf_topk.h")
}

/// The header that the sources give.
fn generate() -> Result<String> {
    let capi = repository::root().join("capi");
    let config = cbindgen::Config::from_file(capi.join("cbindgen.toml"));
    let config = config.map_err(|error| anyhow::anyhow!("capi/cbindgen.toml: {error}"))?;
    let bindings = cbindgen::generate_with_config(&capi, config).context("capi/src")?;
    let mut text = Vec::new();
    bindings.write(&mut text);
    String::from_utf8(text).context("the header")
}

fn check(committed: &str, fresh: &str) -> Result<()> {
    let pairs = committed.lines().zip(fresh.lines());
    let same = pairs.take_while(|(old, new)| old == new).count();
    if same == committed.lines().count() && same == fresh.lines().count() {
        return Ok(());
    }
    let line = |text: &str| text.lines().nth(same).unwrap_or("(end)").trim().to_string();
    bail!(
        "capi/include/aikf_topk.h differs from what the sources give, first in line {}\n  \
         committed: {}\n  made:      {}\nrun `cargo xtask header` and commit the result",
        same + 1,
        line(committed),
        line(fresh)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_header_is_what_the_sources_give() {
        let committed = fs::read_to_string(path()).expect("it is committed");
        check(&committed, &generate().expect("the sources parse")).unwrap();
    }

    #[test]
    fn a_difference_is_shown_with_its_line() {
        let text = check("a\nb\n", "a\nc\nd\n").unwrap_err().to_string();
        assert!(text.contains("first in line 2\n  committed: b\n  made:      c"), "{text}");
        let text = check("a\n", "a\nb\n").unwrap_err().to_string();
        assert!(text.contains("committed: (end)\n  made:      b"), "{text}");
        assert!(check("a\r\nb\r\n", "a\nb\n").is_ok());
    }
}
