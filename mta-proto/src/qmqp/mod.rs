//! QMQP, the quick mail queueing protocol, as machines for both roles (qmail-qmqpd(8), qmail-qmqpc(8), cr.yp.to/proto/qmqp.html).
//!
//! ```abnf
//! package  = netstring(netstring(message) netstring(sender) *netstring(recipient))
//! response = netstring(( "K" / "Z" / "D" ) text)   ; one for all recipients together
//! ```
//! A connection carries one message. The protocol stands for a call of qmail-queue(8) on another
//! host: whoever may talk to a server may send to anywhere, so an application has to know whom it
//! lets in.

pub mod client;
pub mod server;
