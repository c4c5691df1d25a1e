//! What a power failure can leave behind: every choice among the changes that no sync covered (ext4 without a journal).
//!
//! For each name it is the durable target or any it had since; for each file the durable bytes with
//! any subset of the later changes, the last one torn, or their room filled with NULs; for a file
//! that was never synced also what its inode number held before. Directories lose each name apart
//! from the others, so a rename may leave both names or neither.

use super::world::{Change, Content, Inode, ROOT, World};
use super::{Rng, SimFiles};
use crate::files::Kind;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// Up to so many unsynced changes of one file, every subset is tried; above it prefixes only.
const SUBSETS: usize = 4;

/// The disk at the moment the power failed, with all its possible futures.
#[derive(Clone, Debug)]
pub struct Crash {
    world: World,
    names: Vec<NameChoice>,
    files: Vec<FileChoice>,
}

#[derive(Clone, Debug)]
struct NameChoice {
    dir: u64,
    name: OsString,
    targets: Vec<Option<u64>>,
}

#[derive(Clone, Debug)]
struct FileChoice {
    ino: u64,
    /// `None` is an inode that never reached the disk: fsck drops the names that lead to it.
    contents: Vec<Option<Content>>,
}

/// For each directory the names that were chosen anew.
type Targets<'a> = BTreeMap<u64, Vec<(&'a OsString, Option<u64>)>>;

impl Crash {
    pub(super) fn new(world: World) -> Self {
        let mut names = Vec::new();
        let mut files = Vec::new();
        for (&ino, inode) in &world.inodes {
            if inode.kind == Kind::Dir {
                names.extend(name_choices(ino, inode));
            } else {
                let contents = contents(inode);
                files.push(FileChoice { ino, contents });
            }
        }
        Self {
            world,
            names,
            files,
        }
    }

    /// Returns how many outcomes there are; some of them look the same.
    #[must_use]
    pub fn outcomes(&self) -> u128 {
        let names = self.names.iter().map(|c| c.targets.len());
        let files = self.files.iter().map(|c| c.contents.len());
        names
            .chain(files)
            .fold(1, |all: u128, n| all.saturating_mul(n as u128))
    }

    /// Returns outcome `index`, counted from 0: the disk as the next boot finds it.
    #[must_use]
    pub fn outcome(&self, mut index: u128) -> SimFiles {
        self.choose(|n| {
            let pick = index % n as u128;
            index /= n as u128;
            usize::try_from(pick).unwrap_or(0)
        })
    }

    /// Returns an outcome by chance; the same seed gives the same one.
    #[must_use]
    pub fn random(&self, seed: u64) -> SimFiles {
        let mut rng = Rng::new(seed);
        self.choose(|n| rng.below(n))
    }

    /// Returns all outcomes where there are at most `most`, else `most` by chance, and always the
    /// ones in which nothing and everything was lost.
    pub fn some(&self, most: usize, seed: u64) -> impl Iterator<Item = SimFiles> + '_ {
        let all = self.outcomes();
        let every = all <= most as u128;
        let count = if every {
            usize::try_from(all).unwrap_or(most)
        } else {
            most
        };
        (0..count).map(move |i| match i {
            _ if every => self.outcome(i as u128),
            0 => self.outcome(0),
            1 => self.outcome(all - 1),
            _ => self.random(seed.wrapping_add(i as u64)),
        })
    }

    fn choose(&self, mut pick: impl FnMut(usize) -> usize) -> SimFiles {
        let mut targets = Targets::new();
        for choice in &self.names {
            let taken = choice.targets.get(pick(choice.targets.len()));
            let in_dir = targets.entry(choice.dir).or_default();
            in_dir.push((&choice.name, taken.copied().flatten()));
        }
        let mut held: BTreeMap<u64, Content> = self.world.ghosts.clone();
        for choice in &self.files {
            let taken = choice.contents.get(pick(choice.contents.len()));
            match taken.cloned().flatten() {
                Some(content) => held.insert(choice.ino, content),
                None => held.remove(&choice.ino),
            };
        }
        let mut after = self.world.without_inodes();
        self.revive(&mut after, ROOT, &targets, &held);
        after.renumber();
        SimFiles::from_world(after)
    }

    /// Rebuilds a directory and all below it as the disk has it.
    fn revive(
        &self,
        after: &mut World,
        dir: u64,
        targets: &Targets<'_>,
        held: &BTreeMap<u64, Content>,
    ) {
        let Some(old) = self.world.inodes.get(&dir) else {
            return;
        };
        let mut entries = old.dir.durable.clone();
        for (name, target) in targets.get(&dir).into_iter().flatten() {
            match target {
                Some(ino) => entries.insert((*name).clone(), *ino),
                None => entries.remove(*name),
            };
        }
        self.settle(after, dir, old, entries, targets, held);
    }

    fn settle(
        &self,
        after: &mut World,
        dir: u64,
        old: &Inode,
        entries: BTreeMap<OsString, u64>,
        targets: &Targets<'_>,
        held: &BTreeMap<u64, Content>,
    ) {
        let mut inode = self.world.blank(Kind::Dir, old.now.mode);
        inode.names = 1;
        inode.durable = Some(inode.now.clone());
        after.inodes.insert(dir, inode);
        let mut kept = BTreeMap::new();
        for (name, ino) in entries {
            let kind = self.world.inodes.get(&ino).map_or(Kind::File, |i| i.kind);
            if kind == Kind::Dir {
                if after.inodes.contains_key(&ino) {
                    continue;
                }
                self.revive(after, ino, targets, held);
            } else if let Some(content) = held.get(&ino) {
                let inode = after.inodes.entry(ino).or_insert_with(|| {
                    let mut inode = self.world.blank(kind, 0);
                    inode.now = content.clone();
                    inode.durable = Some(content.clone());
                    inode
                });
                inode.names += 1;
            } else {
                continue;
            }
            kept.insert(name, ino);
        }
        if let Some(inode) = after.inodes.get_mut(&dir) {
            inode.dir.durable.clone_from(&kept);
            inode.dir.now = kept;
        }
    }
}

fn name_choices(dir: u64, inode: &Inode) -> Vec<NameChoice> {
    let touched: BTreeSet<&OsString> = inode.dir.pending.iter().map(|(name, _)| name).collect();
    touched
        .into_iter()
        .map(|name| {
            let mut targets = vec![inode.dir.durable.get(name).copied()];
            for (_, to) in inode.dir.pending.iter().filter(|(n, _)| n == name) {
                if !targets.contains(to) {
                    targets.push(*to);
                }
            }
            NameChoice {
                dir,
                name: name.clone(),
                targets,
            }
        })
        .collect()
}

/// Lists what the disk may hold of a file.
fn contents(inode: &Inode) -> Vec<Option<Content>> {
    let mut out: Vec<Option<Content>> = Vec::new();
    let mut add = |content: Option<Content>| {
        if !out.contains(&content) {
            out.push(content);
        }
    };
    let base = match &inode.durable {
        Some(durable) => durable.clone(),
        None => {
            add(None);
            if let Some(prior) = &inode.prior {
                add(Some(prior.clone()));
            }
            Content {
                data: Arc::default(),
                ..inode.now.clone()
            }
        }
    };
    add(Some(base.clone()));
    let pending = &inode.pending;
    if let Some(torn) = torn(&base, pending) {
        add(Some(torn));
    }
    if let Some(hollow) = hollow(&base, pending) {
        add(Some(hollow));
    }
    if pending.len() <= SUBSETS {
        for subset in 1_u32..1 << pending.len() {
            add(Some(applied(&base, pending, |i| subset >> i & 1 == 1)));
        }
    } else {
        for upto in 1..=pending.len() {
            add(Some(applied(&base, pending, |i| i < upto)));
        }
    }
    out
}

fn applied(base: &Content, pending: &[(Change, Content)], take: impl Fn(usize) -> bool) -> Content {
    let mut content = base.clone();
    for (_, (change, behind)) in pending.iter().enumerate().filter(|(i, _)| take(*i)) {
        let mut data = content.data;
        change.apply(&mut data);
        content = Content {
            data,
            ..behind.clone()
        };
    }
    content
}

/// Everything, but of the last write only the first half.
fn torn(base: &Content, pending: &[(Change, Content)]) -> Option<Content> {
    let last = pending
        .iter()
        .rposition(|(c, _)| matches!(c, Change::Write { .. }))?;
    let mut pending = pending.to_vec();
    if let Some((Change::Write { bytes, .. }, _)) = pending.get_mut(last) {
        let half = bytes.len() / 2;
        Arc::make_mut(bytes).truncate(half);
    }
    Some(applied(base, &pending, |_| true))
}

/// The new length, but NULs where the file was extended: its old bytes have their place already.
fn hollow(base: &Content, pending: &[(Change, Content)]) -> Option<Content> {
    if pending.is_empty() {
        return None;
    }
    let mut content = applied(base, pending, |_| true);
    let data = Arc::make_mut(&mut content.data);
    data.get_mut(base.data.len()..)?.fill(0);
    Some(content)
}

/// Reduces all that can be read on a disk, except times, to one number.
pub(super) fn fingerprint(world: &World) -> u64 {
    let mut hasher = DefaultHasher::new();
    fold(world, ROOT, &mut hasher);
    hasher.finish()
}

fn fold(world: &World, ino: u64, hasher: &mut DefaultHasher) {
    let Some(inode) = world.inodes.get(&ino) else {
        return;
    };
    match inode.kind {
        Kind::Dir => {
            inode.dir.now.len().hash(hasher);
            for (name, &child) in &inode.dir.now {
                name.hash(hasher);
                child.hash(hasher);
                fold(world, child, hasher);
            }
        }
        _ => inode.now.data.hash(hasher),
    }
}
