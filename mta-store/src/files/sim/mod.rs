//! A file system in memory that fails, fills up and loses power on request (INTERNALS, ext4 without a journal).

mod crash;
mod world;

pub use crash::Crash;

use super::{Access, Files, Kind, OpenFile, Stat, Wait};
use mta_core::Unix;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use world::{Change, World, err, errno};

/// A simulated file system; clones share it.
///
/// Every call through the port has a number, counted from 1. Before each call the world can be
/// photographed ([`SimFiles::record`]), the power can fail ([`SimFiles::cut_power_at`]) or the call
/// can be made to fail ([`SimFiles::inject`]).
///
/// ```
/// use mta_store::files::{Files, OpenFile, SimFiles};
/// use std::path::Path;
///
/// let files = SimFiles::new();
/// let file = files.create_new(Path::new("/letter"), 0o600)?;
/// file.append_all(b"never synced")?;
/// let crash = files.crash();
/// assert!(crash.outcomes() > 1);
/// assert!(!crash.outcome(0).exists(Path::new("/letter"))?);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct SimFiles {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    unlocked: Condvar,
}

#[derive(Debug)]
struct State {
    world: World,
    calls: u64,
    cut_at: Option<u64>,
    faults: Vec<Injection>,
    photos: Option<Vec<Photo>>,
    locked: BTreeSet<u64>,
    pulls: BTreeMap<PathBuf, u64>,
}

/// The world as it was before a call.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Photo {
    /// The number of the call that came next.
    pub before: u64,
    /// What that call was.
    pub call: Call,
    /// What a power failure at this moment can leave behind.
    pub crash: Crash,
}

/// The calls of the port, for choosing where to fail.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Call {
    /// [`Files::create_new`].
    Create,
    /// [`Files::open`].
    Open,
    /// [`Files::link`].
    Link,
    /// [`Files::rename`] and [`Files::rename_new`].
    Rename,
    /// [`Files::unlink`] and [`Files::rmdir`].
    Unlink,
    /// [`Files::mkdir`] and [`Files::mkfifo`].
    Mkdir,
    /// [`Files::read_dir`].
    ReadDir,
    /// [`Files::sync_dir`].
    SyncDir,
    /// [`Files::stat`], [`Files::lstat`] and [`OpenFile::stat`].
    Stat,
    /// [`Files::chmod`], [`Files::chown`] and [`OpenFile::set_mtime`].
    Attributes,
    /// [`Files::lock`].
    Lock,
    /// [`Files::pull`].
    Pull,
    /// [`OpenFile::read_at`].
    Read,
    /// [`OpenFile::write_at`] and [`OpenFile::append`].
    Write,
    /// [`OpenFile::truncate`].
    Truncate,
    /// [`OpenFile::sync`].
    Sync,
}

/// How a call is made to fail.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// `EIO`. A sync that fails so drops what it should have made durable.
    Io,
    /// `ENOSPC`, from calls that need room; others succeed.
    NoSpace,
    /// `EMFILE`, from calls that need a descriptor; others succeed.
    TooManyFiles,
    /// A write takes only half of what was offered; other calls succeed.
    ShortWrite,
}

#[derive(Clone, Copy, Debug)]
struct Injection {
    from: u64,
    upto: u64,
    fault: Fault,
}

impl Default for SimFiles {
    fn default() -> Self {
        Self::new()
    }
}

impl SimFiles {
    /// Makes an empty file system: only `/`, and it is durable.
    #[must_use]
    pub fn new() -> Self {
        Self::from_world(World::new())
    }

    fn from_world(world: World) -> Self {
        let state = State {
            world,
            calls: 0,
            cut_at: None,
            faults: Vec::new(),
            photos: None,
            locked: BTreeSet::new(),
            pulls: BTreeMap::new(),
        };
        Self {
            shared: Arc::new(Shared {
                state: Mutex::new(state),
                unlocked: Condvar::new(),
            }),
        }
    }

    /// Returns how many calls there were.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.state().calls
    }

    /// Sets the time that later changes carry.
    pub fn set_clock(&self, now: Unix) {
        self.state().world.clock = now;
    }

    /// Sets the owner of files that are made from now on.
    pub fn set_uid(&self, uid: u32) {
        self.state().world.uid = uid;
    }

    /// Makes everything durable, as a quiet disk is.
    pub fn settle(&self) {
        let world = &mut self.state().world;
        let all: Vec<u64> = world.inodes.keys().copied().collect();
        for ino in all {
            // Every number was just listed.
            let _ = world.sync(ino, true);
        }
        world.ghosts.clear();
    }

    /// Lets call `number` and all later ones fail: the power is gone.
    pub fn cut_power_at(&self, number: u64) {
        self.state().cut_at = Some(number);
    }

    /// Lets call `number` fail.
    pub fn inject(&self, number: u64, fault: Fault) {
        self.inject_during(number, number, fault);
    }

    /// Lets calls `from` to `upto`, both included, fail.
    pub fn inject_during(&self, from: u64, upto: u64, fault: Fault) {
        self.state().faults.push(Injection { from, upto, fault });
    }

    /// Lets no call fail any more.
    pub fn heal(&self) {
        let mut state = self.state();
        state.faults.clear();
        state.cut_at = None;
    }

    /// Begins to photograph the world before every call that could change it.
    pub fn record(&self) {
        self.state().photos = Some(Vec::new());
    }

    /// Ends that and returns the photographs.
    #[must_use]
    pub fn photos(&self) -> Vec<Photo> {
        self.state().photos.take().unwrap_or_default()
    }

    /// Returns what a power failure at this moment can leave behind.
    #[must_use]
    pub fn crash(&self) -> Crash {
        Crash::new(self.state().world.clone())
    }

    /// Returns an independent copy with the same contents, durable and not.
    #[must_use]
    pub fn copy(&self) -> Self {
        let mut world = self.state().world.clone();
        for inode in world.inodes.values_mut() {
            inode.opens = 0;
        }
        Self::from_world(world)
    }

    /// Reduces all names and bytes to one number; equal disks have equal numbers.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        crash::fingerprint(&self.state().world)
    }

    /// Returns how often a FIFO was written to.
    #[must_use]
    pub fn pulls(&self, path: &Path) -> u64 {
        self.state().pulls.get(path).copied().unwrap_or(0)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call and lets it fail where that was asked for. The fault that is returned is one
    /// which the call itself must act out.
    fn enter(&self, call: Call) -> io::Result<(MutexGuard<'_, State>, Option<Fault>)> {
        let mut state = self.state();
        state.calls += 1;
        let number = state.calls;
        if state.cut_at.is_some_and(|at| number >= at) {
            return Err(io::Error::other("the power failed"));
        }
        let changes = !matches!(call, Call::Stat | Call::ReadDir | Call::Read | Call::Pull);
        if changes && state.photos.is_some() {
            let crash = Crash::new(state.world.clone());
            let photo = Photo {
                before: number,
                call,
                crash,
            };
            state.photos.get_or_insert_default().push(photo);
        }
        let due = state
            .faults
            .iter()
            .find(|i| (i.from..=i.upto).contains(&number));
        let Some(&Injection { fault, .. }) = due else {
            return Ok((state, None));
        };
        match (fault, call) {
            (Fault::Io, Call::Sync | Call::SyncDir) => Ok((state, Some(Fault::Io))),
            (Fault::Io, _) => Err(err(errno::EIO)),
            (
                Fault::NoSpace,
                Call::Create | Call::Link | Call::Rename | Call::Mkdir | Call::Write,
            ) => Err(io::ErrorKind::StorageFull.into()),
            (Fault::NoSpace, Call::Sync | Call::SyncDir) => Ok((state, Some(Fault::NoSpace))),
            (
                Fault::TooManyFiles,
                Call::Create | Call::Open | Call::ReadDir | Call::SyncDir | Call::Lock,
            ) => Err(io::Error::from_raw_os_error(24)),
            (Fault::ShortWrite, Call::Write) => Ok((state, Some(fault))),
            _ => Ok((state, None)),
        }
    }

    fn handle(&self, state: &mut State, ino: u64, access: Access) -> io::Result<SimFile> {
        state.world.inode_mut(ino)?.opens += 1;
        Ok(SimFile {
            files: self.clone(),
            ino,
            access,
        })
    }

    fn place(&self, path: &Path, kind: Kind, mode: u32, state: &mut State) -> io::Result<u64> {
        let (dir, name) = state.world.parent(path)?;
        if state.world.inode(dir)?.dir.now.contains_key(&name) {
            return Err(err(errno::EEXIST));
        }
        let ino = state.world.allocate(kind, mode);
        state.world.set_name(dir, name, Some(ino))?;
        Ok(ino)
    }

    fn change_attributes(
        &self,
        path: &Path,
        set: impl FnOnce(&mut world::Content),
    ) -> io::Result<()> {
        let (mut state, _) = self.enter(Call::Attributes)?;
        let ino = state.world.find(path)?;
        set(&mut state.world.inode_mut(ino)?.now);
        state.world.change(ino, Change::Attributes)
    }
}

impl Files for SimFiles {
    type File = SimFile;
    type Lock = SimLock;

    fn create_new(&self, path: &Path, mode: u32) -> io::Result<SimFile> {
        let (mut state, _) = self.enter(Call::Create)?;
        let ino = self.place(path, Kind::File, mode, &mut state)?;
        self.handle(&mut state, ino, Access::ReadWrite)
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<SimFile> {
        let (mut state, _) = self.enter(Call::Open)?;
        let ino = state.world.find(path)?;
        let kind = state.world.inode(ino)?.kind;
        if access != Access::Read && kind == Kind::Dir {
            return Err(err(errno::EISDIR));
        }
        self.handle(&mut state, ino, access)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (mut state, _) = self.enter(Call::Link)?;
        let ino = state.world.find(from)?;
        let (dir, name) = state.world.parent(to)?;
        if state.world.inode(dir)?.dir.now.contains_key(&name) {
            return Err(err(errno::EEXIST));
        }
        if state.world.inode(ino)?.kind == Kind::Dir {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        state.world.set_name(dir, name, Some(ino))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (mut state, _) = self.enter(Call::Rename)?;
        rename(&mut state.world, from, to)
    }

    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (mut state, _) = self.enter(Call::Rename)?;
        if state.world.find(to).is_ok() {
            return Err(err(errno::EEXIST));
        }
        rename(&mut state.world, from, to)
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        let (mut state, _) = self.enter(Call::Unlink)?;
        let (dir, name) = state.world.parent(path)?;
        let ino = state.world.find(path)?;
        if state.world.inode(ino)?.kind == Kind::Dir {
            return Err(err(errno::EISDIR));
        }
        state.world.set_name(dir, name, None)
    }

    fn mkdir(&self, path: &Path, mode: u32) -> io::Result<()> {
        let (mut state, _) = self.enter(Call::Mkdir)?;
        self.place(path, Kind::Dir, mode, &mut state).map(|_| ())
    }

    fn rmdir(&self, path: &Path) -> io::Result<()> {
        let (mut state, _) = self.enter(Call::Unlink)?;
        let (dir, name) = state.world.parent(path)?;
        let ino = state.world.find(path)?;
        let inode = state.world.inode(ino)?;
        if inode.kind != Kind::Dir {
            return Err(err(errno::ENOTDIR));
        }
        if !inode.dir.now.is_empty() {
            return Err(err(errno::ENOTEMPTY));
        }
        state.world.set_name(dir, name, None)
    }

    fn read_dir(&self, path: &Path, visit: &mut dyn FnMut(&OsStr)) -> io::Result<()> {
        let (state, _) = self.enter(Call::ReadDir)?;
        let dir = state.world.inode(state.world.find(path)?)?;
        if dir.kind != Kind::Dir {
            return Err(err(errno::ENOTDIR));
        }
        let names: Vec<_> = dir.dir.now.keys().cloned().collect();
        drop(state);
        names.iter().for_each(|name| visit(name));
        Ok(())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let (mut state, fault) = self.enter(Call::SyncDir)?;
        let ino = state.world.find(path)?;
        state.world.sync(ino, fault.is_none())?;
        fault.map_or(Ok(()), |_| Err(err(errno::EIO)))
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        let (state, _) = self.enter(Call::Stat)?;
        state.world.stat(state.world.find(path)?)
    }

    fn lstat(&self, path: &Path) -> io::Result<Stat> {
        self.stat(path)
    }

    fn chmod(&self, path: &Path, mode: u32) -> io::Result<()> {
        self.change_attributes(path, |now| now.mode = mode)
    }

    fn chown(&self, path: &Path, uid: u32, gid: u32) -> io::Result<()> {
        self.change_attributes(path, |now| (now.uid, now.gid) = (uid, gid))
    }

    fn lock(&self, path: &Path, wait: Wait) -> io::Result<Option<SimLock>> {
        let (mut state, _) = self.enter(Call::Lock)?;
        let ino = match state.world.find(path) {
            Ok(ino) => ino,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                self.place(path, Kind::File, 0o600, &mut state)?
            }
            Err(e) => return Err(e),
        };
        while state.locked.contains(&ino) {
            if wait == Wait::Never {
                return Ok(None);
            }
            state = self
                .shared
                .unlocked
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.locked.insert(ino);
        state.world.inode_mut(ino)?.opens += 1;
        Ok(Some(SimLock {
            files: self.clone(),
            ino,
        }))
    }

    fn mkfifo(&self, path: &Path, mode: u32) -> io::Result<()> {
        let (mut state, _) = self.enter(Call::Mkdir)?;
        self.place(path, Kind::Fifo, mode, &mut state).map(|_| ())
    }

    fn pull(&self, path: &Path) -> io::Result<bool> {
        let (mut state, _) = self.enter(Call::Pull)?;
        let ino = state.world.find(path)?;
        if state.world.inode(ino)?.kind != Kind::Fifo {
            return Err(err(errno::ENXIO));
        }
        *state.pulls.entry(path.to_path_buf()).or_insert(0) += 1;
        Ok(true)
    }
}

fn rename(world: &mut World, from: &Path, to: &Path) -> io::Result<()> {
    let ino = world.find(from)?;
    let (from_dir, from_name) = world.parent(from)?;
    let (to_dir, to_name) = world.parent(to)?;
    match world.find(to) {
        Ok(target) if target == ino => return Ok(()),
        Ok(target) if world.inode(target)?.kind == Kind::Dir => return Err(err(errno::EISDIR)),
        _ => {}
    }
    world.set_name(to_dir, to_name, Some(ino))?;
    world.set_name(from_dir, from_name, None)
}

/// An open file of the simulation.
#[derive(Debug)]
pub struct SimFile {
    files: SimFiles,
    ino: u64,
    access: Access,
}

impl SimFile {
    fn for_change(&self, call: Call) -> io::Result<(MutexGuard<'_, State>, Option<Fault>)> {
        let entered = self.files.enter(call)?;
        if self.access == Access::Read {
            return Err(err(errno::EBADF));
        }
        Ok(entered)
    }

    fn write(&self, buf: &[u8], at: Option<u64>) -> io::Result<usize> {
        let (mut state, fault) = self.for_change(Call::Write)?;
        let taken = match fault {
            Some(_) => buf.get(..buf.len().div_ceil(2)).unwrap_or(buf),
            None => buf,
        };
        let end = state.world.inode(self.ino)?.now.data.len();
        let at = match at {
            Some(at) => usize::try_from(at).map_err(|_| err(errno::EINVAL))?,
            None => end,
        };
        let bytes = Arc::new(taken.to_vec());
        state.world.change(self.ino, Change::Write { at, bytes })?;
        Ok(taken.len())
    }
}

impl OpenFile for SimFile {
    fn read_at(&self, buf: &mut [u8], at: u64) -> io::Result<usize> {
        let (state, _) = self.files.enter(Call::Read)?;
        let inode = state.world.inode(self.ino)?;
        if inode.kind == Kind::Dir {
            return Err(err(errno::EISDIR));
        }
        let from = usize::try_from(at).map_err(|_| err(errno::EINVAL))?;
        let left = inode.now.data.get(from..).unwrap_or_default();
        let n = left.len().min(buf.len());
        if let (Some(to), Some(from)) = (buf.get_mut(..n), left.get(..n)) {
            to.copy_from_slice(from);
        }
        Ok(n)
    }

    fn write_at(&self, buf: &[u8], at: u64) -> io::Result<usize> {
        self.write(buf, Some(at))
    }

    fn append(&self, buf: &[u8]) -> io::Result<usize> {
        self.write(buf, None)
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        let (mut state, _) = self.for_change(Call::Truncate)?;
        let len = usize::try_from(len).map_err(|_| err(errno::EINVAL))?;
        state.world.change(self.ino, Change::Truncate(len))
    }

    fn sync(&self) -> io::Result<()> {
        let (mut state, fault) = self.files.enter(Call::Sync)?;
        state.world.sync(self.ino, fault.is_none())?;
        match fault {
            None => Ok(()),
            Some(Fault::NoSpace) => Err(io::ErrorKind::StorageFull.into()),
            Some(_) => Err(err(errno::EIO)),
        }
    }

    fn stat(&self) -> io::Result<Stat> {
        let (state, _) = self.files.enter(Call::Stat)?;
        state.world.stat(self.ino)
    }

    fn set_mtime(&self, to: Unix) -> io::Result<()> {
        let (mut state, _) = self.files.enter(Call::Attributes)?;
        state.world.inode_mut(self.ino)?.now.mtime = to;
        state.world.change(self.ino, Change::Mtime)
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        close(&self.files, self.ino);
    }
}

/// A lock of the simulation.
#[derive(Debug)]
pub struct SimLock {
    files: SimFiles,
    ino: u64,
}

impl Drop for SimLock {
    fn drop(&mut self) {
        self.files.state().locked.remove(&self.ino);
        close(&self.files, self.ino);
        self.files.shared.unlocked.notify_all();
    }
}

fn close(files: &SimFiles, ino: u64) {
    let mut state = files.state();
    if let Ok(inode) = state.world.inode_mut(ino) {
        inode.opens = inode.opens.saturating_sub(1);
    }
    state.world.release(ino);
}

/// A small generator (SplitMix64), so that a seed names a test case.
#[derive(Clone, Debug)]
struct Rng(u64);

impl Rng {
    const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let n = n.max(1) as u64;
        usize::try_from((z ^ (z >> 31)) % n).unwrap_or(0)
    }
}
