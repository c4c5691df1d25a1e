//! The program `ucspi`: hands its command line to the library.

fn main() -> applet::Exit {
    ucspi::main()
}
