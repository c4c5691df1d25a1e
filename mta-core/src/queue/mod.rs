//! The queue's logic, pure: what to preprocess, deliver, mark, bounce and remove, and when (qmail-send(8)).
//!
//! ```text
//!  found ─► Preprocess ─► waiting ─ due ─► Load ─► Start … Start ─► MarkDone ──┐
//!                            ▲                       │                         │
//!                            │                       └─► AppendBounce ─► MarkDone
//!                            ├── SetNextAttempt ◄── somebody deferred ◄────────┤
//!                            │                                                 ▼ all done
//!           recovered ───────┘                  Finish ◄─ ClearBounce ◄─ SendBounce
//! ```
//!
//! The [`Manager`] holds no message and touches no file. Its user calls [`Manager::poll`] until it
//! says `WaitUntil`, `Wait` or `Stopped`, carries every [`Action`] out in whatever order and as
//! parallel as it likes, and answers each by its [`Step`] or [`DeliveryId`] when it is durable.
//! A crash between any two of these loses no recipient: see [`Action`].

mod action;
mod batch;
mod hold;
mod inputs;
mod lines;
mod manager;
mod message;
mod notify;
mod params;

pub use action::{
    Action, Delivery, DeliveryId, Loaded, Pending, PerChannel, Preprocessed, Recovered, Step,
    Trouble,
};
pub use inputs::REPORT_MAX;
pub use manager::{Manager, Settings, Status};
pub use notify::DELAY_ASKED;
pub use params::attach;
