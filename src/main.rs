//! The `stanch` program: parses the command line and leaves with its exit code.

use std::process::ExitCode;

use clap::Parser as _;

/// Alerts are read on one thread, stored on another and shown on a third, in a thousand small pieces of memory a
/// millisecond. The system's allocator takes locks for that, and twice the time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    ExitCode::from(stanch::cli::run(stanch::cli::Cli::parse()))
}
