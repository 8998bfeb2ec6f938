//! The `stanch` program: parses the command line and leaves with its exit code.

use std::process::ExitCode;

use clap::Parser as _;

#[global_allocator]
static ALLOCATOR: stanch::cli::Allocator = stanch::cli::Allocator;

fn main() -> ExitCode {
    ExitCode::from(stanch::cli::run(stanch::cli::Cli::parse()))
}
