//! The program `vpopmail`: hands its command line to the library.

fn main() -> applet::Exit {
    vpopmail::main(std::env::args_os())
}
