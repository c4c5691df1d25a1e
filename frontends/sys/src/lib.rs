//! What programs need of the system beyond std: inherited descriptors, exec, giving up root (checkpassword, UCSPI).
//!
//! The only crate with `unsafe`, which is a few calls in [`descriptor`], [`socket`] and [`zone`].

pub mod descriptor;
pub mod exec;
pub mod privileges;
pub mod socket;
pub mod zone;

pub use descriptor::{adopt, pass, take};
pub use exec::exec;
pub use privileges::drop_privileges;
pub use socket::{clear_ip_options, hear_of_children};
pub use zone::local_offset;
