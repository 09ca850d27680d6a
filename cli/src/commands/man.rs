//! `topk man`: the manual's pages, made of the help's texts.
use clap::Args;
use clap_mangen::Man;

use super::Outcome;
use crate::error::Error;
use crate::output;

/// The arguments of `topk man`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct ManArgs {
    /// The command whose page is wanted [default: the page of topk itself]
    command: Option<String>,
}

const EXAMPLES: &str = "\
Examples:
  Read the page of select:
    topk man select | man -l -
  Install the main page:
    topk man > ~/.local/share/man/man1/topk.1";

/// Prints a page.
pub fn run(args: &ManArgs) -> Result<Outcome, Error> {
    let mut whole = crate::command_line();
    whole.build();
    let page = match &args.command {
        None => whole,
        Some(name) => of_command(&whole, name)?,
    };
    let mut text = vec![];
    Man::new(page).render(&mut text)?;
    output::bytes(&text)?;
    Ok(Outcome::Done)
}

fn of_command(whole: &clap::Command, name: &str) -> Result<clap::Command, Error> {
    let found = whole.find_subcommand(name).cloned();
    let command = found.ok_or_else(|| Error::Command {
        name: name.to_string(),
        names: whole.get_subcommands().map(|command| command.get_name().to_string()).collect(),
    })?;
    // As `man topk-select` finds it.
    Ok(command.name(format!("topk-{name}")))
}
