//! `topk completions`: what a shell needs to complete commands, flags and their values.
use clap::Args;
use clap_complete::Shell;

use super::Outcome;
use crate::error::Error;
use crate::output;

/// The arguments of `topk completions`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

const EXAMPLES: &str = "\
Examples:
  For bash, in new shells:
    topk completions bash > ~/.local/share/bash-completion/completions/topk
  For zsh, in a folder of $fpath:
    topk completions zsh > ~/.zfunc/_topk
  For fish:
    topk completions fish > ~/.config/fish/completions/topk.fish";

/// Prints the script.
pub fn run(args: &CompletionsArgs) -> Result<Outcome, Error> {
    // In memory first: the generator panics where it cannot write.
    let mut script = vec![];
    clap_complete::generate(args.shell, &mut crate::command_line(), "topk", &mut script);
    output::bytes(&script)?;
    Ok(Outcome::Done)
}
