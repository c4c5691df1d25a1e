//! The queue manager's warnings and alerts (qmail-send(8), spec §5.9).

use super::message::What;
use crate::bounce::Notice;
use crate::ports::spool::MessageId;

/// Makes a reason of the store's printable without hiding its words.
fn plain(reason: &str) -> String {
    reason
        .chars()
        .map(|c| if c.is_control() { '/' } else { c })
        .collect()
}

/// Names the file or the work that a step is about.
fn about(id: MessageId, what: &What) -> String {
    match what {
        What::Preprocess => format!("trouble reading todo/{id}"),
        What::Load(channel) => format!("trouble reading {}/{id}", channel.name()),
        What::Append(_) => format!("trouble writing to bounce/{id}"),
        What::Mark(channel, _) => format!("trouble marking {}/{id}", channel.name()),
        What::Notify(_) => format!("trouble injecting notice of msg {id}"),
        What::SendBounce => String::from("trouble injecting bounce message"),
        What::ClearBounce => format!("unable to unlink bounce/{id}"),
        What::Finish => format!("unable to clean up mess/{id}"),
        What::SetNext(channel, _) => format!("unable to utime {}/{id}", channel.name()),
    }
}

/// Says that a step failed and what comes of it, in qmail-send's words where it has some; then why.
pub(super) fn trouble(id: MessageId, what: &What, last: bool, reason: &str) -> [String; 2] {
    let outcome = match what {
        What::SetNext(..) => "; message will be retried too soon",
        What::Mark(..) if last => "; message will be delivered twice!",
        What::SendBounce => ", will try later",
        _ => "; will try again later",
    };
    [
        format!("warning: {}{outcome}", about(id, what)),
        format!("warning: msg {id}: {}", plain(reason)),
    ]
}

/// Says what a sender was told besides failures.
pub(super) fn noticed(id: MessageId, notices: &[Notice]) -> String {
    let mut words: Vec<&str> = notices.iter().map(|notice| notice.told.word()).collect();
    words.dedup();
    format!("notice msg {id}: {}", words.join(" "))
}

/// Says that a damaged message was taken out of the queue.
pub(super) fn broken(id: MessageId, reason: &str) -> String {
    format!(
        "alert: msg {id} is broken and was put into quarantine: {}",
        plain(reason)
    )
}

/// Says that a message went away under the manager.
pub(super) fn gone(id: MessageId) -> String {
    format!("warning: msg {id} is gone from the queue; somebody removed it")
}
