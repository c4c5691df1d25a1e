//! The state of the simulated disk: inodes with what they hold and what of it is durable (ext4 without a journal, INTERNALS).

use crate::files::{Kind, Stat};
use mta_core::Unix;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Component, Path};
use std::sync::Arc;

pub(super) const ROOT: u64 = 2;
/// ext4 gives its first ordinary inode this number.
const FIRST: u64 = 12;

/// Error numbers of Linux, as the callers would see them.
pub(super) mod errno {
    pub(in super::super) const ENOENT: i32 = 2;
    pub(in super::super) const EIO: i32 = 5;
    pub(in super::super) const ENXIO: i32 = 6;
    pub(in super::super) const EBADF: i32 = 9;
    pub(in super::super) const EEXIST: i32 = 17;
    pub(in super::super) const ENOTDIR: i32 = 20;
    pub(in super::super) const EISDIR: i32 = 21;
    pub(in super::super) const EINVAL: i32 = 22;
    pub(in super::super) const ENOTEMPTY: i32 = 39;
}

pub(super) fn err(no: i32) -> io::Error {
    io::Error::from_raw_os_error(no)
}

/// What of an inode can be durable: bytes and attributes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Content {
    pub(super) data: Arc<Vec<u8>>,
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) mtime: Unix,
}

/// A change to a file that no sync has covered.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Write { at: usize, bytes: Arc<Vec<u8>> },
    Truncate(usize),
    Mtime,
    Attributes,
}

#[derive(Clone, Debug)]
pub(super) struct Inode {
    pub(super) kind: Kind,
    pub(super) now: Content,
    /// What the last good sync left; `None` while there was none.
    pub(super) durable: Option<Content>,
    /// Changes since, in order, each with the attributes behind it.
    pub(super) pending: Vec<(Change, Content)>,
    /// What the disk holds under this number from an earlier file, while this one was never synced.
    pub(super) prior: Option<Content>,
    pub(super) names: u64,
    pub(super) opens: u64,
    pub(super) dir: DirState,
}

/// The names in a directory; empty for anything else.
#[derive(Clone, Debug, Default)]
pub(super) struct DirState {
    pub(super) now: BTreeMap<OsString, u64>,
    pub(super) durable: BTreeMap<OsString, u64>,
    /// Changes since the last good sync, in order.
    pub(super) pending: Vec<(OsString, Option<u64>)>,
}

/// Everything on the disk and in its cache.
#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) inodes: BTreeMap<u64, Inode>,
    /// Numbers below the highest in use that are free: the next file gets the lowest, at once.
    free: BTreeSet<u64>,
    next: u64,
    /// Durable contents of freed inodes, to which names on the disk may still lead.
    pub(super) ghosts: BTreeMap<u64, Content>,
    pub(super) clock: Unix,
    pub(super) uid: u32,
}

impl World {
    pub(super) fn new() -> Self {
        let mut world = Self {
            inodes: BTreeMap::new(),
            free: BTreeSet::new(),
            next: FIRST,
            ghosts: BTreeMap::new(),
            clock: Unix(1_000_000_000),
            uid: 0,
        };
        let mut root = world.blank(Kind::Dir, 0o755);
        root.durable = Some(root.now.clone());
        root.names = 1;
        world.inodes.insert(ROOT, root);
        world
    }

    /// The same disk with nothing on it.
    pub(super) fn without_inodes(&self) -> Self {
        Self {
            inodes: BTreeMap::new(),
            free: BTreeSet::new(),
            next: FIRST,
            ghosts: BTreeMap::new(),
            clock: self.clock,
            uid: self.uid,
        }
    }

    /// Rebuilds the free numbers after the inodes were chosen anew.
    pub(super) fn renumber(&mut self) {
        self.next = self
            .inodes
            .keys()
            .max()
            .map_or(FIRST, |&n| n + 1)
            .max(FIRST);
        self.free = (FIRST..self.next)
            .filter(|n| !self.inodes.contains_key(n))
            .collect();
    }

    pub(super) fn blank(&self, kind: Kind, mode: u32) -> Inode {
        Inode {
            kind,
            now: Content {
                data: Arc::default(),
                mode,
                uid: self.uid,
                gid: self.uid,
                mtime: self.clock,
            },
            durable: None,
            pending: Vec::new(),
            prior: None,
            names: 0,
            opens: 0,
            dir: DirState::default(),
        }
    }

    /// Makes an inode with the lowest free number.
    pub(super) fn allocate(&mut self, kind: Kind, mode: u32) -> u64 {
        let ino = self.free.pop_first().unwrap_or_else(|| {
            self.next += 1;
            self.next - 1
        });
        let mut inode = self.blank(kind, mode);
        inode.prior = self.ghosts.remove(&ino);
        self.inodes.insert(ino, inode);
        ino
    }

    /// Frees an inode that nothing names and nobody holds open.
    pub(super) fn release(&mut self, ino: u64) {
        let Some(inode) = self.inodes.get(&ino) else {
            return;
        };
        if inode.names > 0 || inode.opens > 0 || ino == ROOT {
            return;
        }
        if let Some(gone) = self.inodes.remove(&ino) {
            self.free.insert(ino);
            if let (Kind::File, Some(left)) = (gone.kind, gone.durable.or(gone.prior)) {
                self.ghosts.insert(ino, left);
            }
        }
    }

    pub(super) fn inode(&self, ino: u64) -> io::Result<&Inode> {
        self.inodes.get(&ino).ok_or_else(|| err(errno::EBADF))
    }

    pub(super) fn inode_mut(&mut self, ino: u64) -> io::Result<&mut Inode> {
        self.inodes.get_mut(&ino).ok_or_else(|| err(errno::EBADF))
    }

    pub(super) fn find(&self, path: &Path) -> io::Result<u64> {
        let mut at = ROOT;
        for part in path.components() {
            at = match part {
                Component::RootDir | Component::CurDir => at,
                Component::Normal(name) => self.child(at, name)?,
                _ => return Err(err(errno::EINVAL)),
            };
        }
        Ok(at)
    }

    fn child(&self, dir: u64, name: &OsStr) -> io::Result<u64> {
        let inode = self.inode(dir)?;
        if inode.kind != Kind::Dir {
            return Err(err(errno::ENOTDIR));
        }
        let found = inode.dir.now.get(name).copied();
        found.ok_or_else(|| err(errno::ENOENT))
    }

    /// Splits a path into its directory's inode and the last name.
    pub(super) fn parent(&self, path: &Path) -> io::Result<(u64, OsString)> {
        let name = path.file_name().ok_or_else(|| err(errno::EINVAL))?;
        let dir = self.find(path.parent().unwrap_or_else(|| Path::new("/")))?;
        if self.inode(dir)?.kind != Kind::Dir {
            return Err(err(errno::ENOTDIR));
        }
        Ok((dir, name.to_os_string()))
    }

    /// Lets a name lead somewhere else or nowhere, in the cache.
    pub(super) fn set_name(&mut self, dir: u64, name: OsString, to: Option<u64>) -> io::Result<()> {
        let clock = self.clock;
        let inode = self.inode_mut(dir)?;
        inode.now.mtime = clock;
        let before = match to {
            Some(ino) => inode.dir.now.insert(name.clone(), ino),
            None => inode.dir.now.remove(&name),
        };
        inode.dir.pending.push((name, to));
        if let Some(ino) = to {
            self.inode_mut(ino)?.names += 1;
        }
        if let Some(ino) = before {
            let names = &mut self.inode_mut(ino)?.names;
            *names = names.saturating_sub(1);
            self.release(ino);
        }
        Ok(())
    }

    /// Applies a change to a file in the cache.
    pub(super) fn change(&mut self, ino: u64, change: Change) -> io::Result<()> {
        let clock = self.clock;
        let inode = self.inode_mut(ino)?;
        change.apply(&mut inode.now.data);
        if matches!(change, Change::Write { .. } | Change::Truncate(_)) {
            inode.now.mtime = clock;
        }
        let behind = inode.now.clone();
        inode.pending.push((change, behind));
        Ok(())
    }

    /// Makes a file or directory durable; `good` false drops what was pending instead, as Linux
    /// does: the pages are marked clean, and no later sync writes them.
    pub(super) fn sync(&mut self, ino: u64, good: bool) -> io::Result<()> {
        let inode = self.inode_mut(ino)?;
        let changes = std::mem::take(&mut inode.pending);
        let names = std::mem::take(&mut inode.dir.pending);
        if !good {
            return Ok(());
        }
        // Only what is pending is written: what a failed sync dropped stays lost.
        let mut durable = inode.durable.take().unwrap_or_else(|| Content {
            data: Arc::default(),
            ..inode.now.clone()
        });
        for (change, behind) in changes {
            let mut data = durable.data;
            change.apply(&mut data);
            durable = Content { data, ..behind };
        }
        inode.durable = Some(durable);
        inode.prior = None;
        for (name, to) in names {
            match to {
                Some(to) => inode.dir.durable.insert(name, to),
                None => inode.dir.durable.remove(&name),
            };
        }
        Ok(())
    }

    pub(super) fn stat(&self, ino: u64) -> io::Result<Stat> {
        let inode = self.inode(ino)?;
        Ok(Stat {
            kind: inode.kind,
            ino,
            size: inode.now.data.len() as u64,
            mode: inode.now.mode,
            uid: inode.now.uid,
            gid: inode.now.gid,
            nlink: inode.names,
            mtime: inode.now.mtime,
            mtime_nanos: 0,
        })
    }
}

impl Change {
    /// Applies the change to bytes; attributes are taken from the content behind it.
    pub(super) fn apply(&self, data: &mut Arc<Vec<u8>>) {
        match self {
            Self::Write { at, bytes } => {
                let data = Arc::make_mut(data);
                let end = at.saturating_add(bytes.len());
                if data.len() < end {
                    data.resize(end, 0);
                }
                if let Some(to) = data.get_mut(*at..end) {
                    to.copy_from_slice(bytes);
                }
            }
            Self::Truncate(len) => Arc::make_mut(data).resize(*len, 0),
            Self::Mtime | Self::Attributes => {}
        }
    }
}
