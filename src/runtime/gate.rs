//! Keeps whoever reads a long log from being far ahead of the console that takes it in.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Lots that may be on their way.
const AHEAD: usize = 2;
/// How long a console that takes nothing in is waited for, a lot: it may stand still for other reasons.
const PATIENCE: Duration = Duration::from_secs(1);

/// What passes is counted until it is given up.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<(Mutex<usize>, Condvar)>);

/// One that passed.
#[derive(Debug)]
pub struct Pass(Gate);

impl Gate {
    /// Waits until few are on their way, and passes.
    pub fn pass(&self) -> Pass {
        let (_, news) = &*self.0;
        let ended = news.wait_timeout_while(self.count(), PATIENCE, |ahead| *ahead >= AHEAD);
        let (mut ahead, _) = ended.unwrap_or_else(PoisonError::into_inner);
        *ahead += 1;
        drop(ahead);
        Pass(self.clone())
    }

    /// A count cannot be left half changed.
    fn count(&self) -> MutexGuard<'_, usize> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        *self.0.count() -= 1;
        self.0.0.1.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_far_ahead_waits_until_something_is_given_up() {
        let gate = Gate::default();
        let (first, second) = (gate.pass(), gate.pass());
        let (sender, passed) = std::sync::mpsc::channel();
        let waiting = gate.clone();
        let thread = std::thread::spawn(move || sender.send(waiting.pass()).unwrap());
        assert!(passed.try_recv().is_err());
        drop(first);
        let third = passed.recv().unwrap();
        thread.join().unwrap();
        assert_eq!(*gate.count(), 2);
        drop((second, third));
        assert_eq!(*gate.count(), 0);
    }
}
