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

fn began(group: u32) -> Heard {
    Heard::Began { group, words: 0, version: None }
}

#[test]
fn marks_are_found_wherever_the_stream_is_cut() {
    let all = format!("Welcome!\r\n{MARK}B:42:@\nout@put\n@01234 no{MARK}E:137:k@\nlate");
    let expected =
        vec![began(42), out("out@put\n@01234 no"), Heard::Ended { status: 137, remark: true }, out("late")];
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
    let text = format!("{MARK}B:1:@\n{MARK}Q:what is this, it is no mark of ours@\nx");
    assert_eq!(heard(&[text.as_bytes()])[1], out(&text[MARK.len() + 6..]));
}

#[test]
fn what_looks_like_the_beginning_of_a_mark_is_given_back_at_the_end() {
    let text = format!("{MARK}B:1:@\nend {}", &MARK[..7]);
    assert_eq!(heard(&[text.as_bytes()]), [began(1), out(&format!("end {}", &MARK[..7]))]);
}

#[test]
fn what_the_shell_says_under_its_name_is_left_out() {
    let all = format!("{MARK}B:1:@\nx\n{MARK}: line 1: 7 Killed  ( exec 'a\nb' )\n{MARK}E:137:@\nlate");
    let expected =
        [began(1), out("x\n"), Heard::Remark, Heard::Ended { status: 137, remark: false }, out("late")];
    assert_eq!(heard(&[all.as_bytes()]), expected);
    let single: Vec<&[u8]> = all.as_bytes().chunks(1).collect();
    assert_eq!(heard(&single), expected);
}

#[test]
fn the_answer_of_the_login_shell_comes_with_the_first_mark() {
    let answer = |text: &str| heard(&[format!("{MARK}B:{text}@\n").as_bytes()]).remove(0);
    assert_eq!(answer("1:3:a"), Heard::Began { group: 1, words: 3, version: None });
    assert_eq!(answer("1:1:5"), Heard::Began { group: 1, words: 1, version: Some(5) });
}
