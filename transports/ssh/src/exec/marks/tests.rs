//! Marks in streams, cut anywhere.

use super::*;

const MARK: &str = "@0123456789abcdef:";

fn heard(pieces: &[&[u8]]) -> Vec<Heard> {
    let mut reader = Reader::new(MARK);
    let mut heard = Vec::new();
    pieces.iter().for_each(|piece| reader.hear(piece, &mut heard));
    reader.end(&mut heard);
    let mut joined: Vec<Heard> = Vec::new();
    for next in heard {
        match (joined.last_mut(), next) {
            (Some(Heard::Output(before)), Heard::Output(more)) => before.extend(more),
            (_, next) => joined.push(next),
        }
    }
    joined
}

fn out(text: &str) -> Heard {
    Heard::Output(text.as_bytes().to_vec())
}

#[test]
fn marks_are_found_wherever_the_stream_is_cut() {
    let all = format!("Welcome!\r\n{MARK}B:42@\nout@put\n@01234 no{MARK}E:137:k@\nlate");
    let expected = vec![
        Heard::Began(42),
        out("out@put\n@01234 no"),
        Heard::Ended { status: 137, remark: true },
        out("late"),
    ];
    assert_eq!(heard(&[all.as_bytes()]), expected);
    for at in 0..all.len() {
        let (one, two) = all.as_bytes().split_at(at);
        assert_eq!(heard(&[one, two]), expected, "cut at {at}");
    }
    let single: Vec<&[u8]> = all.as_bytes().chunks(1).collect();
    assert_eq!(heard(&single), expected);
}

#[test]
fn noise_before_the_first_mark_is_dropped_and_remembered() {
    let mut reader = Reader::new(MARK);
    let mut heard = Vec::new();
    reader.hear(b"This account is currently not available.\n", &mut heard);
    assert!(heard.is_empty());
    assert_eq!(reader.noise(), b"This account is currently not available.\n");
}

#[test]
fn a_mark_that_makes_no_sense_is_output() {
    let text = format!("{MARK}B:1@\n{MARK}Q:what is this, it is no mark of ours@\nx");
    assert_eq!(heard(&[text.as_bytes()])[1], out(&text[MARK.len() + 5..]));
}

#[test]
fn what_looks_like_the_beginning_of_a_mark_is_given_back_at_the_end() {
    let text = format!("{MARK}B:1@\nend {}", &MARK[..7]);
    assert_eq!(heard(&[text.as_bytes()]), [Heard::Began(1), out(&format!("end {}", &MARK[..7]))]);
}
