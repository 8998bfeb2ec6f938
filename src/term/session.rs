//! One guard over every terminal mode: entered together, left together, on every way out.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::cursor::{Hide, Show};
use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::style::{Print, ResetColor, force_color_output};
use crossterm::terminal::{
    BeginSynchronizedUpdate, Clear, ClearType, DisableLineWrap, EnableLineWrap,
    EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode,
    enable_raw_mode, size,
};
use crossterm::{execute, queue};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::encode;

/// Whether the modes are set right now. Global because the panic hook and signal paths must know it too.
static ENTERED: AtomicBool = AtomicBool::new(false);

/// Whether the terminal is to report its mouse.
static MOUSE: AtomicBool = AtomicBool::new(false);

/// Buttons and wheel, no motion, in coordinates without a bound (XTerm Control Sequences, *Mouse Tracking*).
const MOUSE_ON: &str = "\x1b[?1000h\x1b[?1006h";
const MOUSE_OFF: &str = "\x1b[?1006l\x1b[?1000l";

/// The terminal while the console has it. Dropping it puts everything back.
pub struct Session {
    shown: Buffer,
    /// The memory of the frame before, for the next.
    spare: Buffer,
}

impl Session {
    /// Takes the terminal over, with its mouse if that is wanted.
    pub fn enter(mouse: bool) -> io::Result<Self> {
        MOUSE.store(mouse, Ordering::SeqCst);
        enter_modes()?;
        Ok(Self {
            shown: Buffer::empty(Rect::ZERO),
            spare: Buffer::empty(Rect::ZERO),
        })
    }

    /// Returns the frame shown last.
    pub fn shown(&self) -> &Buffer {
        &self.shown
    }

    /// Returns an empty frame to draw on.
    pub fn blank(&mut self, area: Rect) -> Buffer {
        let mut frame = std::mem::take(&mut self.spare);
        frame.resize(area);
        frame.reset();
        frame
    }

    /// Returns the area to draw on.
    pub fn area(&self) -> Rect {
        area().unwrap_or(self.shown.area)
    }

    /// Shows a frame, in a single write between the marks of a synchronized update. Writes nothing when it equals the one
    /// on screen, unless `repaint` asks for everything again.
    pub fn show(&mut self, next: Buffer, repaint: bool) -> io::Result<()> {
        if !repaint && next == self.shown {
            self.spare = next;
            return Ok(());
        }
        let mut head = Vec::new();
        queue!(head, BeginSynchronizedUpdate)?;
        if repaint || next.area != self.shown.area {
            queue!(head, ResetColor, Clear(ClearType::All))?;
            self.shown = Buffer::empty(next.area);
        }
        encode::frame(&self.shown, &next, &mut head);
        queue!(head, EndSynchronizedUpdate)?;
        let mut out = io::stdout().lock();
        out.write_all(&head)?;
        out.flush()?;
        self.spare = std::mem::replace(&mut self.shown, next);
        Ok(())
    }

    /// Gives the terminal to another program; [`Self::take_back`] follows.
    pub fn give_away(&self) {
        leave_modes();
    }

    /// Takes the terminal over again; the next frame paints all of it.
    pub fn take_back(&mut self) -> io::Result<()> {
        enter_modes()?;
        self.shown = Buffer::empty(Rect::ZERO);
        Ok(())
    }

    /// Gives the terminal back, stops the whole process group as the shell expects, and takes the terminal over again
    /// once somebody says `fg`.
    pub fn suspend(&mut self) -> io::Result<()> {
        leave_modes();
        // SIGSTOP, because our own handler for SIGTSTP is what brought us here; the group, because the shell waits
        // for all of it.
        rustix::process::kill_current_process_group(rustix::process::Signal::STOP)?;
        self.take_back()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        leave_modes();
    }
}

fn area() -> io::Result<Rect> {
    // The terminal on standard output is asked itself; looking for it anew costs a frame three more calls.
    let asked = rustix::termios::tcgetwinsize(io::stdout());
    let asked = asked.ok().map(|size| (size.ws_col, size.ws_row));
    let (width, height) = match asked.filter(|(width, height)| *width > 0 && *height > 0) {
        Some(size) => size,
        None => size()?,
    };
    Ok(Rect {
        x: 0,
        y: 0,
        width,
        height,
    })
}

fn enter_modes() -> io::Result<()> {
    // Otherwise crossterm drops colour sequences under NO_COLOR and with them `reverse` and `bold`; the mono theme
    // names no colour in the first place.
    force_color_output(true);
    enable_raw_mode()?;
    ENTERED.store(true, Ordering::SeqCst);
    execute!(
        io::stdout(),
        EnterAlternateScreen,
        Clear(ClearType::All),
        EnableBracketedPaste,
        DisableLineWrap,
        Hide
    )?;
    if MOUSE.load(Ordering::SeqCst) {
        execute!(io::stdout(), Print(MOUSE_ON))?;
    }
    Ok(())
}

/// Puts every mode back that the console set. Safe to call at any time, any number of times.
pub fn leave_modes() {
    if !ENTERED.swap(false, Ordering::SeqCst) {
        return;
    }
    // On the way out nobody is left to hear of an error; each part is tried.
    if MOUSE.load(Ordering::SeqCst) {
        let _ = execute!(io::stdout(), Print(MOUSE_OFF));
    }
    let _ = execute!(
        io::stdout(),
        EndSynchronizedUpdate,
        ResetColor,
        Show,
        EnableLineWrap,
        DisableBracketedPaste,
        LeaveAlternateScreen
    );
    let _ = disable_raw_mode();
}

/// Makes a panic put the terminal back before it says anything, and escapes what it says: the message may quote text
/// from outside.
pub fn install_panic_hook() {
    std::panic::set_hook(Box::new(|info| {
        leave_modes();
        let text = info.payload_as_str().unwrap_or("unknown cause");
        let place = info
            .location()
            .map_or_else(String::new, |l| format!(" at {}:{}", l.file(), l.line()));
        tell!(
            "stanch: internal error{place}: {}",
            crate::domain::text::show(text)
        );
        tell!("stanch: what was decided is in the log: stanch log show");
    }));
}

/// Sounds the bell (BEL, ECMA-48).
pub fn ring() -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(b"\x07")?;
    out.flush()
}
