//! Threads with deep stacks for the interpreter. A few are kept: making one, and giving its stack back, takes longer than
//! most filters do and stops every other thread for a moment.

use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, PoisonError};

use super::{JqError, MAX_TOKENS};

/// Stack for one filter. The interpreter recurses along operators and data, in debug builds by several kB a level;
/// within [`MAX_TOKENS`] and the depth of its input this is ample, and untouched pages cost nothing.
const STACK: usize = 64 << 20;
const _: () = assert!(STACK / MAX_TOKENS > 32 << 10, "ample for each token");

/// Most threads that wait for the next filter.
const MOST_IDLE: usize = 4;

type Job = Box<dyn FnOnce() + Send>;

/// Those that wait.
static IDLE: Mutex<Vec<Sender<Job>>> = Mutex::new(Vec::new());

/// Runs something on a thread with a stack of [`STACK`] bytes, and waits for it.
pub(super) fn on_deep_stack<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, JqError> + Send + 'static,
) -> Result<T, JqError> {
    let (answer, told) = channel();
    let mut job: Job = Box::new(move || {
        // Whoever asked waits for it.
        let _ = answer.send(work());
    });
    let thread = loop {
        let Some(idle) = lock().pop() else {
            let new = begin()?;
            new.send(job).map_err(|_| gave_up())?;
            break new;
        };
        match idle.send(job) {
            Ok(()) => break idle,
            // It gave up on another filter.
            Err(back) => job = back.0,
        }
    };
    // A panic ends the thread, and with it the answer.
    let told = told.recv().map_err(|_| gave_up())?;
    let mut idle = lock();
    if idle.len() < MOST_IDLE {
        idle.push(thread);
    }
    told
}

/// What is said of a filter on which the interpreter panicked.
pub(super) fn gave_up() -> JqError {
    JqError::Failed("the interpreter gave up".to_owned())
}

fn lock() -> std::sync::MutexGuard<'static, Vec<Sender<Job>>> {
    IDLE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn begin() -> Result<Sender<Job>, JqError> {
    let (jobs, inbox) = channel::<Job>();
    std::thread::Builder::new()
        .name("jq".to_owned())
        .stack_size(STACK)
        .spawn(move || inbox.into_iter().for_each(|job| job()))
        .map_err(|e| JqError::Failed(format!("no thread for it: {e}")))?;
    Ok(jobs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_gave_up_is_replaced() {
        for n in 0..3 {
            assert_eq!(on_deep_stack(move || Ok(n)), Ok(n));
            let panics = || -> Result<(), JqError> { panic!("as the interpreter might") };
            let gave_up = on_deep_stack(panics).unwrap_err();
            assert!(gave_up.to_string().contains("gave up"));
        }
    }

    #[test]
    fn many_ask_at_once() {
        let asked: Vec<_> = (0..32)
            .map(|n| std::thread::spawn(move || on_deep_stack(move || Ok(n * 2))))
            .collect();
        for (n, one) in asked.into_iter().enumerate() {
            assert_eq!(one.join().unwrap(), Ok(n * 2));
        }
        assert!(lock().len() <= MOST_IDLE);
    }
}
