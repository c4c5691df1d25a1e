//! Judges what a power failure left: the states S1 to S5, nothing lost, nothing half-visible (INTERNALS).

use crate::life::{self, DIR, Letter, NOW, RECORD};
use mta_core::Address;
use mta_core::rewrite::Channel;
use mta_store::files::sim::Photo;
use mta_store::files::{Files, SimFiles};
use mta_store::queue::{MessageId, Queue};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Read;
use std::path::Path;

/// The disks that were judged.
#[derive(Debug, Default)]
pub(crate) struct Census {
    seen: HashSet<(u64, u64)>,
    /// Distinct disks, whatever was promised at the time.
    pub(crate) disks: HashSet<u64>,
    /// The first failures.
    pub(crate) failures: Vec<String>,
}

impl Census {
    /// Judges what power failures leave at each photographed moment: all of it where there are at
    /// most `most` outcomes, else so many by chance.
    pub(crate) fn judge(&mut self, photos: &[Photo], letters: &[Letter], most: usize) {
        for photo in photos {
            for (n, after) in photo.crash.some(most, photo.before).enumerate() {
                let place = format!(
                    "crash before call {} ({:?}), outcome {n}",
                    photo.before, photo.call
                );
                self.one(&after, letters, photo.before - 1, &place);
            }
        }
    }

    /// Judges one disk on which `calls` calls were made.
    pub(crate) fn one(&mut self, after: &SimFiles, letters: &[Letter], calls: u64, place: &str) {
        let mut hasher = DefaultHasher::new();
        for letter in letters {
            Duties::of(letter, calls).hash(&mut hasher);
        }
        let disk = after.fingerprint();
        self.disks.insert(disk);
        if !self.seen.insert((disk, hasher.finish())) || self.failures.len() > 3 {
            return;
        }
        // The aftermath is costly: of many disks, every eighth tells enough.
        let aftermath = self.disks.len() < 2_000 || disk.is_multiple_of(8);
        if let Err(why) = judge(after, letters, calls, aftermath) {
            self.failures.push(format!("{place}: {why}"));
        }
    }

    pub(crate) fn assert_sound(&self) {
        assert!(self.failures.is_empty(), "{}", self.failures.join("\n"));
    }
}

/// What the queue owes a letter after some number of calls.
#[derive(Debug, Hash)]
struct Duties {
    must_be_there: bool,
    may_be_there: bool,
    must_be_pending: Vec<bool>,
    may_be_pending: Vec<bool>,
    must_have_bounce: bool,
}

impl Duties {
    fn of(letter: &Letter, calls: u64) -> Self {
        let past = |at: Option<u64>| at.is_some_and(|at| at <= calls);
        let touched = |at: Option<u64>| at.is_some_and(|at| at < calls);
        let gone = touched(letter.ended);
        Self {
            must_be_there: past(letter.queued) && !gone,
            may_be_there: letter.id.is_some(),
            must_be_pending: letter.marks.iter().map(|m| !touched(m.0)).collect(),
            may_be_pending: letter.marks.iter().map(|m| !past(m.1)).collect(),
            must_have_bounce: past(letter.bounce.0) && !touched(letter.bounce.1),
        }
    }
}

/// A message as a drainer sees it.
#[derive(Debug)]
struct Seen {
    id: MessageId,
    body: Vec<u8>,
    sender: Address,
    pending: Vec<Address>,
    bounce: Option<Vec<u8>>,
}

fn judge(after: &SimFiles, letters: &[Letter], calls: u64, aftermath: bool) -> Result<(), String> {
    states(after)?;
    let queue = life::open(after.clone());
    let seen = take_stock(&queue)?;
    let mut used = BTreeSet::new();
    for one in &seen {
        let letter = letters
            .iter()
            .position(|l| l.body == one.body && l.sender == one.sender)
            .ok_or_else(|| format!("a message that nobody sent: {one:?}"))?;
        if !used.insert(letter) {
            return Err(format!("letter {letter} is there twice"));
        }
        compare(one, &letters[letter], calls).map_err(|e| format!("letter {letter}: {e}"))?;
    }
    for (number, letter) in letters.iter().enumerate() {
        if Duties::of(letter, calls).must_be_there && !used.contains(&number) {
            return Err(format!("letter {number} was acknowledged and is lost"));
        }
    }
    if aftermath {
        goes_on(after, &queue, &seen)?;
    }
    Ok(())
}

fn compare(one: &Seen, letter: &Letter, calls: u64) -> Result<(), String> {
    let duties = Duties::of(letter, calls);
    if !duties.may_be_there {
        return Err("it is there before it was begun".into());
    }
    if one.pending.iter().any(|to| !letter.to.contains(to)) {
        return Err(format!("somebody else's recipients: {:?}", one.pending));
    }
    for (which, to) in letter.to.iter().enumerate() {
        let pending = one.pending.contains(to);
        if duties.must_be_pending[which] && !pending && duties.must_be_there {
            return Err(format!("recipient {to:?} is lost"));
        }
        if pending && !duties.may_be_pending[which] {
            return Err(format!("recipient {to:?} would get it twice"));
        }
    }
    match &one.bounce {
        Some(text) if !text.is_empty() && text != RECORD => Err(format!(
            "failure text is torn: {:?}",
            text.escape_ascii().to_string()
        )),
        Some(text) if !text.is_empty() => Ok(()),
        _ if duties.must_have_bounce => Err("failure text is lost".into()),
        _ => Ok(()),
    }
}

/// Checks that every number's files form one of the five states.
fn states(after: &SimFiles) -> Result<(), String> {
    let mut kinds: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for kind in ["mess", "intd", "todo", "info", "local", "remote", "bounce"] {
        let dir = Path::new(DIR).join(kind);
        for name in after.names(&dir).map_err(|e| e.to_string())? {
            let path = dir.join(&name);
            let names = match after.stat(&path).map_err(|e| e.to_string())?.kind {
                mta_store::files::Kind::Dir => after.names(&path).map_err(|e| e.to_string())?,
                _ => vec![name],
            };
            for name in names {
                let id = name.to_string_lossy().into_owned();
                if kind == "bounce" && id.ends_with(".new") {
                    // It belongs to nobody before it has its name.
                    continue;
                }
                kinds.entry(id).or_default().insert(kind);
            }
        }
    }
    for (id, has) in &kinds {
        let has = |kind: &str| has.contains(kind);
        let delivering = has("local") || has("remote") || has("bounce") || has("info");
        // A lone intd/ID belongs to no state, but to no message either.
        let sound = match (has("todo"), has("info")) {
            (true, _) | (false, true) => has("mess"),
            (false, false) => !delivering,
        };
        if !sound {
            return Err(format!("{id} is in no state: {:?}", kinds.get(id)));
        }
    }
    Ok(())
}

/// Starts a drainer and returns all that it finds.
fn take_stock(queue: &Queue<SimFiles>) -> Result<Vec<Seen>, String> {
    let found = queue.recover().map_err(|e| e.to_string())?;
    if !found.quarantined.is_empty() || !found.failed.is_empty() {
        return Err(format!("recovery stumbled: {found:?}"));
    }
    let mut ids: Vec<MessageId> = found.standing.iter().map(|s| s.id).collect();
    for id in queue.todo().map_err(|e| e.to_string())? {
        queue
            .preprocess(id, NOW, &mut life::route)
            .map_err(|e| format!("preprocess: {e}"))?;
        ids.push(id);
    }
    ids.into_iter()
        .map(|id| look(queue, id).map_err(|e| format!("message {id}: {e}")))
        .collect()
}

fn look(queue: &Queue<SimFiles>, id: MessageId) -> Result<Seen, Box<dyn std::error::Error>> {
    let mut body = Vec::new();
    let message = queue.open_message(id)?;
    message.reader().read_to_end(&mut body)?;
    assert_eq!(queue.size(id)?, message.len(), "size of {id}");
    let mut pending = Vec::new();
    for channel in Channel::ALL {
        queue.each_pending(id, channel, &mut |one| pending.push(one.address))?;
    }
    // Parameters are there, or were removed because they are not this message's.
    queue.params(id)?;
    Ok(Seen {
        id,
        body,
        sender: queue.info(id)?.sender,
        pending,
        bounce: queue.bounce(id)?,
    })
}

/// Checks that no leftover is in the way of new mail, and that all of them go in the end.
fn goes_on(after: &SimFiles, queue: &Queue<SimFiles>, seen: &[Seen]) -> Result<(), String> {
    let diary = life::Diary::new(after);
    for round in 0..2 {
        let next = diary.letter(&format!("next{round}"), &["x@local", "y@remote"], true);
        diary
            .send(queue, next)
            .map_err(|e| format!("new mail: {e}"))?;
        let id = diary.get(next).id.unwrap();
        if seen.iter().any(|one| one.id == id) {
            return Err(format!("number {id} was given out twice"));
        }
        let params = queue.preprocess(id, NOW, &mut life::route);
        params.map_err(|e| format!("new mail: {e}"))?;
        let params = queue.params(id).map_err(|e| e.to_string())?;
        if params.mail != diary.get(next).params {
            return Err("new mail lost its parameters".into());
        }
        queue.remove(id).map_err(|e| format!("new mail: {e}"))?;
    }
    for one in seen {
        queue.remove(one.id).map_err(|e| format!("removing: {e}"))?;
    }
    let later = NOW + 129_600 + 10;
    let reaped = queue.reap(later).map_err(|e| e.to_string())?;
    let kinds = [
        "pid", "mess", "intd", "todo", "info", "local", "remote", "bounce", "params",
    ];
    match life::count(after, &kinds) {
        0 => Ok(()),
        n => Err(format!("{n} files cannot be removed: {reaped:?}")),
    }
}
