//! A system that remembers what it was told, so that a test can build what a power cut would leave of it.
//!
//! Content is on the device after a sync of its file, names after a sync of their directory. Of everything else any
//! part may have got there, in pieces of one sector, and a file may have its new size without the bytes for it.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, Seek as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::super::super::fs::{Fs, How, Real};

const SECTOR: usize = 512;

pub type Id = u64;

/// A change, or a wait for the device.
#[derive(Clone, Debug)]
enum Op {
    Make {
        dir: Id,
        name: String,
        node: Id,
        folder: bool,
    },
    Write {
        node: Id,
        at: usize,
        bytes: Vec<u8>,
    },
    Truncate {
        node: Id,
        len: usize,
    },
    Rename {
        from: Id,
        old: String,
        to: Id,
        new: String,
    },
    Remove {
        dir: Id,
        name: String,
    },
    Sync(Id),
    SyncDir(Id),
}

/// What may be on the device or not.
#[derive(Clone, Debug)]
enum Piece {
    Name {
        dir: Id,
        name: String,
        node: Id,
    },
    Size {
        node: Id,
        len: usize,
        cut: bool,
    },
    Data {
        node: Id,
        at: usize,
        bytes: Vec<u8>,
    },
    Rename {
        from: Id,
        old: String,
        to: Id,
        new: String,
    },
    Remove {
        dir: Id,
        name: String,
    },
}

impl Piece {
    fn is_of_file(&self, file: Id) -> bool {
        matches!(self, Self::Size { node, .. } | Self::Data { node, .. } if *node == file)
    }

    fn is_in_dir(&self, at: Id) -> bool {
        match self {
            Self::Name { dir, .. } | Self::Remove { dir, .. } => *dir == at,
            Self::Rename { from, to, .. } => *from == at || *to == at,
            _ => false,
        }
    }
}

#[derive(Clone, Debug)]
enum Node {
    File(Vec<u8>),
    Folder(BTreeMap<String, Id>),
}

/// What is on a device.
#[derive(Clone, Debug)]
pub struct Image {
    nodes: HashMap<Id, Node>,
    root: Id,
}

impl Image {
    /// Reads what is there; all of it counts as being on the device.
    fn scan(root: &Path) -> Self {
        let mut image = Self {
            nodes: HashMap::new(),
            root: root.metadata().unwrap().ino(),
        };
        image.add(root);
        image
    }

    fn add(&mut self, path: &Path) {
        let found = path.symlink_metadata().unwrap();
        let node = if found.is_dir() {
            let mut names = BTreeMap::new();
            for entry in std::fs::read_dir(path).unwrap().flatten() {
                self.add(&entry.path());
                names.insert(
                    entry.file_name().into_string().unwrap(),
                    entry.metadata().unwrap().ino(),
                );
            }
            Node::Folder(names)
        } else {
            Node::File(std::fs::read(path).unwrap())
        };
        self.nodes.insert(found.ino(), node);
    }

    /// Puts it into an empty folder.
    pub fn write_to(&self, path: &Path) {
        self.put(self.root, path);
    }

    fn put(&self, id: Id, path: &Path) {
        match &self.nodes[&id] {
            Node::File(bytes) => {
                std::fs::write(path, bytes).unwrap();
                std::fs::set_permissions(path, PermissionsExt::from_mode(0o600)).unwrap();
            }
            Node::Folder(names) => {
                std::fs::create_dir_all(path).unwrap();
                std::fs::set_permissions(path, PermissionsExt::from_mode(0o700)).unwrap();
                for (name, id) in names {
                    self.put(*id, &path.join(name));
                }
            }
        }
    }

    fn folder(&mut self, id: Id) -> &mut BTreeMap<String, Id> {
        match self.nodes.get_mut(&id) {
            Some(Node::Folder(names)) => names,
            other => panic!("{id} is no folder: {other:?}"),
        }
    }

    fn file(&mut self, id: Id) -> &mut Vec<u8> {
        match self.nodes.get_mut(&id) {
            Some(Node::File(bytes)) => bytes,
            other => panic!("{id} is no file: {other:?}"),
        }
    }

    fn apply(&mut self, piece: &Piece) {
        match piece {
            Piece::Name { dir, name, node } => {
                self.folder(*dir).insert(name.clone(), *node);
            }
            Piece::Remove { dir, name } => {
                self.folder(*dir).remove(name);
            }
            Piece::Rename { from, old, to, new } => {
                if let Some(node) = self.folder(*from).remove(old) {
                    self.folder(*to).insert(new.clone(), node);
                }
            }
            Piece::Size { node, len, cut } => {
                let file = self.file(*node);
                if *cut || *len > file.len() {
                    file.resize(*len, 0);
                }
            }
            Piece::Data { node, at, bytes } => {
                let file = self.file(*node);
                let end = file.len().min(at + bytes.len());
                if *at < end {
                    file[*at..end].copy_from_slice(&bytes[..end - at]);
                }
            }
        }
    }
}

/// What is certainly on the device at one moment, and what may be.
pub struct Crash {
    durable: Image,
    pending: Vec<Piece>,
}

impl Crash {
    /// Builds `least` or more images: nothing got there, everything, every prefix, each piece alone missing or alone
    /// there, then what `random` picks. All of them when there are few.
    pub fn images(&self, least: usize, random: &mut dyn FnMut() -> u64) -> Vec<Image> {
        let n = self.pending.len();
        let with = |chosen: &dyn Fn(usize) -> bool| {
            let mut image = self.durable.clone();
            for (i, piece) in self.pending.iter().enumerate() {
                if chosen(i) {
                    image.apply(piece);
                }
            }
            image
        };
        if n < 6 {
            let all = 0..1_u32 << n;
            return all.map(|set| with(&|i| set >> i & 1 == 1)).collect();
        }
        let mut images: Vec<Image> = (0..=n).map(|to| with(&|i| i < to)).collect();
        for one in 0..n {
            images.push(with(&|i| i != one));
            images.push(with(&|i| i == one));
        }
        while images.len() < least {
            let set: Vec<u64> = (0..=n / 64).map(|_| random()).collect();
            images.push(with(&|i| set[i / 64] >> (i % 64) & 1 == 1));
        }
        images
    }
}

/// Does everything for real and notes it down.
pub struct Simulated {
    base: Image,
    ops: Mutex<Vec<Op>>,
    /// Watched from outside: its content at each step, for what lies beside the device.
    beside: PathBuf,
    kept: Mutex<Vec<(usize, Vec<u8>)>>,
    /// Held so that no number is used twice.
    held: Mutex<Vec<File>>,
}

impl Simulated {
    /// Begins with what is in `root`; `beside` is a file that is written without this system.
    pub fn over(root: &Path, beside: PathBuf) -> Self {
        Self {
            base: Image::scan(root),
            ops: Mutex::default(),
            beside,
            kept: Mutex::default(),
            held: Mutex::default(),
        }
    }

    /// How many changes and waits there were.
    pub fn steps(&self) -> usize {
        self.ops.lock().unwrap().len()
    }

    /// The content of the file beside when `step` steps were done.
    pub fn beside_at(&self, step: usize) -> Option<Vec<u8>> {
        let kept = self.kept.lock().unwrap();
        let at = kept.iter().rev().find(|(at, _)| *at <= step);
        at.map(|(_, bytes)| bytes.clone())
    }

    /// What a power cut after `step` steps can leave.
    pub fn crash(&self, step: usize) -> Crash {
        let mut durable = self.base.clone();
        let mut pending: Vec<Piece> = Vec::new();
        for op in &self.ops.lock().unwrap()[..step] {
            let mut settle = |test: &dyn Fn(&Piece) -> bool| {
                let (done, rest) = pending.drain(..).partition(|p| test(p));
                pending = rest;
                let done: Vec<Piece> = done;
                for piece in &done {
                    durable.apply(piece);
                }
            };
            match op.clone() {
                Op::Sync(file) => settle(&|p| p.is_of_file(file)),
                Op::SyncDir(dir) => settle(&|p| p.is_in_dir(dir)),
                Op::Make {
                    dir,
                    name,
                    node,
                    folder,
                } => {
                    let empty = if folder {
                        Node::Folder(BTreeMap::new())
                    } else {
                        Node::File(Vec::new())
                    };
                    durable.nodes.insert(node, empty);
                    pending.push(Piece::Name { dir, name, node });
                }
                Op::Write { node, at, bytes } => {
                    let len = at + bytes.len();
                    pending.push(Piece::Size {
                        node,
                        len,
                        cut: false,
                    });
                    let mut from = 0;
                    while from < bytes.len() {
                        let to = bytes.len().min((at + from) / SECTOR * SECTOR + SECTOR - at);
                        let (at, bytes) = (at + from, bytes[from..to].to_vec());
                        pending.push(Piece::Data { node, at, bytes });
                        from = to;
                    }
                }
                Op::Truncate { node, len } => pending.push(Piece::Size {
                    node,
                    len,
                    cut: true,
                }),
                Op::Rename { from, old, to, new } => {
                    pending.push(Piece::Rename { from, old, to, new });
                }
                Op::Remove { dir, name } => pending.push(Piece::Remove { dir, name }),
            }
        }
        Crash { durable, pending }
    }

    fn note(&self, op: Op) {
        let mut ops = self.ops.lock().unwrap();
        ops.push(op);
        let Ok(now) = std::fs::read(&self.beside) else {
            return;
        };
        let mut kept = self.kept.lock().unwrap();
        if kept.last().is_none_or(|(_, before)| *before != now) {
            kept.push((ops.len(), now));
        }
    }

    fn id(file: &File) -> Id {
        file.metadata().unwrap().ino()
    }
}

fn is_there(dir: &File, name: &str) -> bool {
    rustix::fs::statat(dir, name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW).is_ok()
}

impl Fs for Simulated {
    fn mkdir(&self, dir: &File, name: &str, mode: u32) -> io::Result<()> {
        let new = !is_there(dir, name);
        Real.mkdir(dir, name, mode)?;
        if new {
            let made = Real.open(dir, name, How::Dir, 0)?;
            let (dir, name, node) = (Self::id(dir), name.to_owned(), Self::id(&made));
            self.note(Op::Make {
                dir,
                name,
                node,
                folder: true,
            });
        }
        Ok(())
    }

    fn open(&self, dir: &File, name: &str, how: How, mode: u32) -> io::Result<File> {
        let new = !is_there(dir, name);
        let file = Real.open(dir, name, how, mode)?;
        if new {
            self.held.lock().unwrap().push(file.try_clone()?);
            let (dir, name, node) = (Self::id(dir), name.to_owned(), Self::id(&file));
            self.note(Op::Make {
                dir,
                name,
                node,
                folder: false,
            });
        }
        Ok(file)
    }

    fn write(&self, mut file: &File, bytes: &[u8]) -> io::Result<usize> {
        let appends = rustix::fs::fcntl_getfl(file)?.contains(rustix::fs::OFlags::APPEND);
        let at = if appends {
            file.metadata()?.len()
        } else {
            file.stream_position()?
        };
        let n = Real.write(file, bytes)?;
        let (node, at, bytes) = (Self::id(file), at as usize, bytes[..n].to_vec());
        self.note(Op::Write { node, at, bytes });
        Ok(n)
    }

    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let n = Real.write_at(file, bytes, offset)?;
        let (node, at, bytes) = (Self::id(file), offset as usize, bytes[..n].to_vec());
        self.note(Op::Write { node, at, bytes });
        Ok(n)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        self.note(Op::Sync(Self::id(file)));
        Ok(())
    }

    fn sync_dir(&self, dir: &File) -> io::Result<()> {
        self.note(Op::SyncDir(Self::id(dir)));
        Ok(())
    }

    fn truncate(&self, file: &File, len: u64) -> io::Result<()> {
        Real.truncate(file, len)?;
        let (node, len) = (Self::id(file), len as usize);
        self.note(Op::Truncate { node, len });
        Ok(())
    }

    fn rename(&self, from: &File, old: &str, to: &File, new: &str) -> io::Result<()> {
        Real.rename(from, old, to, new)?;
        let (from, to) = (Self::id(from), Self::id(to));
        let (old, new) = (old.to_owned(), new.to_owned());
        self.note(Op::Rename { from, old, to, new });
        Ok(())
    }

    fn remove(&self, dir: &File, name: &str) -> io::Result<()> {
        Real.remove(dir, name)?;
        let (dir, name) = (Self::id(dir), name.to_owned());
        self.note(Op::Remove { dir, name });
        Ok(())
    }
}
