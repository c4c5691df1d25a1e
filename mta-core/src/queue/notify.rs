//! What a sender hears of a delivery besides failures: nothing, unless it asked (RFC 3461 §4.1, §5.2).

use super::action::Pending;
use crate::bounce::{Notice, Told};
use crate::report::{Handover, Outcome};
use crate::rewrite::Channel;
use crate::{Address, verp};

/// The age in seconds at which a delay is told to those who asked, where the settings do not say:
/// four hours.
pub const DELAY_ASKED: u64 = 14_400;

/// Tells whether a reverse-path can be told anything: bounces and double bounces cannot
/// (RFC 3461 §5.2, RFC 5321 §4.5.5).
pub(super) fn is_told(sender: &Address) -> bool {
    let sender = verp::bounce_address(sender);
    !sender.is_null() && sender.as_bytes() != verp::DOUBLE_BOUNCE_SENDER
}

/// What the sender of one delivery can be told, and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish {
    pub(super) channel: Channel,
    /// There is a sender to be told.
    pub(super) told: bool,
    /// The message's age in seconds.
    pub(super) age: u64,
    pub(super) asked: Option<u64>,
    pub(super) unasked: Option<u64>,
}

impl Wish {
    /// Tells whether a failure is to be reported: by default it is, and without a sender to be
    /// told the postmaster hears of it, whatever NOTIFY says.
    pub(super) fn failure(&self, to: &Pending) -> bool {
        !self.told || to.params.notify.is_none_or(|notify| notify.failure)
    }

    /// Returns what the sender is to hear of an outcome that is no failure.
    pub(super) fn told(
        &self,
        to: &Pending,
        outcome: Outcome,
        handover: Option<Handover>,
    ) -> Option<Told> {
        if !self.told {
            return None;
        }
        match outcome {
            Outcome::Failure => None,
            Outcome::Deferral => self.delay(to),
            Outcome::Success if !to.params.notify.is_some_and(|notify| notify.success) => None,
            Outcome::Success => match (handover, self.channel) {
                (Some(Handover::PassedOn), _) => None,
                (Some(Handover::Expanded), _) => Some(Told::Expanded),
                (Some(Handover::Delivered), _) | (None, Channel::Local) => Some(Told::Delivered),
                (Some(Handover::Relayed), _) | (None, Channel::Remote) => Some(Told::Relayed),
            },
        }
    }

    /// Puts down what the sender is to hear.
    pub(super) fn notice(&self, told: Told, to: Pending, text: Vec<u8>) -> Notice {
        Notice {
            told,
            channel: self.channel,
            offset: to.offset,
            recipient: to.address,
            orcpt: to.params.orcpt,
            text,
        }
    }

    fn delay(&self, to: &Pending) -> Option<Told> {
        let after = match to.params.notify {
            Some(notify) if !notify.delay => None,
            Some(_) => self.asked,
            None => self.unasked,
        };
        let due = !to.warned && after.is_some_and(|after| self.age >= after);
        due.then_some(Told::Delayed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::Notify;

    const NEVER: Option<Notify> = Some(Notify {
        success: false,
        failure: false,
        delay: false,
    });
    const ALL: Option<Notify> = Some(Notify {
        success: true,
        failure: true,
        delay: true,
    });

    fn to(notify: Option<Notify>, warned: bool) -> Pending {
        let mut to = Pending::new(0, Address::new("joe@far.example").unwrap());
        to.params.notify = notify;
        to.warned = warned;
        to
    }

    fn wish(channel: Channel, age: u64) -> Wish {
        Wish {
            channel,
            told: true,
            age,
            asked: Some(100),
            unasked: Some(200),
        }
    }

    #[test]
    fn a_success_is_told_to_who_asked_and_by_whom_can_tell_it() {
        use Handover::{Delivered, Expanded, PassedOn, Relayed};
        let table = [
            ("local", Channel::Local, None, Some(Told::Delivered)),
            ("remote", Channel::Remote, None, Some(Told::Relayed)),
            ("next host reports", Channel::Remote, Some(PassedOn), None),
            (
                "next host cannot",
                Channel::Remote,
                Some(Relayed),
                Some(Told::Relayed),
            ),
            ("alias", Channel::Local, Some(PassedOn), None),
            (
                "aliases",
                Channel::Local,
                Some(Expanded),
                Some(Told::Expanded),
            ),
            (
                "list",
                Channel::Local,
                Some(Delivered),
                Some(Told::Delivered),
            ),
        ];
        for (name, channel, handover, wanted) in table {
            let wish = wish(channel, 0);
            let told = |notify| wish.told(&to(notify, false), Outcome::Success, handover);
            assert_eq!(told(ALL), wanted, "{name}");
            assert_eq!(told(None), None, "{name}");
            assert_eq!(told(NEVER), None, "{name}");
        }
    }

    #[test]
    fn a_delay_is_told_once_and_at_its_age() {
        let table = [
            ("asked, too young", ALL, false, 99, None),
            ("asked", ALL, false, 100, Some(Told::Delayed)),
            ("asked, known", ALL, true, 1000, None),
            ("never", NEVER, false, 1000, None),
            ("unasked, too young", None, false, 199, None),
            ("unasked", None, false, 200, Some(Told::Delayed)),
        ];
        for (name, notify, warned, age, wanted) in table {
            let wish = wish(Channel::Remote, age);
            let told = wish.told(&to(notify, warned), Outcome::Deferral, None);
            assert_eq!(told, wanted, "{name}");
        }
    }

    #[test]
    fn nobody_is_told_of_a_bounce_and_its_failure_goes_to_the_postmaster() {
        for (sender, told) in [
            ("joe@far.example", true),
            ("list-@far.example-@[]", true),
            ("", false),
            ("#@[]", false),
        ] {
            let sender = Address::new(sender).unwrap();
            assert_eq!(is_told(&sender), told, "{sender:?}");
        }
        let nobody = Wish {
            told: false,
            ..wish(Channel::Remote, 1000)
        };
        let to = to(ALL, false);
        assert_eq!(nobody.told(&to, Outcome::Success, None), None);
        assert_eq!(nobody.told(&to, Outcome::Deferral, None), None);
        assert!(nobody.failure(&self::to(NEVER, false)));
        assert!(!wish(Channel::Remote, 0).failure(&self::to(NEVER, false)));
        assert!(wish(Channel::Remote, 0).failure(&self::to(None, false)));
    }
}
