//! What programs need of the system beyond std: inherited descriptors, exec, giving up root (checkpassword, UCSPI).
//!
//! The only crate with `unsafe`, which is a few calls in [`descriptor`].

pub mod descriptor;
pub mod exec;
pub mod privileges;

pub use descriptor::{adopt, pass};
pub use exec::exec;
pub use privileges::drop_privileges;
