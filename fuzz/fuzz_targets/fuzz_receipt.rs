//! Requests for delivery notices: any cut gives the same, and a notice has three header lines (qreceipt(1)).
#![no_main]

use libfuzzer_sys::fuzz_target;
use mta_core::Address;
use mta_core::inject::{InjectError, ReceiptRequest};
use mta_fuzz::{pieces, split};

fn notice(to: &[u8], sender: &Address, input: &[&[u8]]) -> Result<Option<Vec<u8>>, InjectError> {
    let mut request = ReceiptRequest::new(to);
    for piece in input {
        if request.feed(piece)? {
            break;
        }
    }
    request.notice(sender)
}

fuzz_target!(|data: &[u8]| {
    let (choice, rest) = split(data, 2);
    let (cuts, rest) = split(rest, 4);
    let (to, message) = split(rest, choice.first().map_or(0, |&n| usize::from(n % 16)));
    let (sender, message) = split(message, choice.get(1).map_or(0, |&n| usize::from(n % 16)));
    let Ok(sender) = Address::new(sender) else {
        return;
    };
    let asked = [b"Notice-Requested-Upon-Delivery-To: ".as_slice(), message].concat();
    let whole = notice(to, &sender, &[&asked]);
    assert_eq!(whole, notice(to, &sender, &pieces(&asked, cuts)));
    if let Ok(Some(text)) = whole {
        assert!(!sender.is_null() && sender.as_bytes() != b"#@[]");
        let end = text.windows(2).position(|pair| pair == b"\n\n").expect("a header ends");
        assert_eq!(text[..end].iter().filter(|&&b| b == b'\n').count(), 2);
    }
});
