//! The binary behind every qmail program's name (qmail(7)).

fn main() -> applet::Exit {
    qmail::main(std::env::args_os())
}
