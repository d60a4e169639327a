//! UTF-16 read as UTF-8: what Windows' own tools write when they are not asked for another encoding.

use std::io::{self, BufRead, Read};

/// The order of the bytes of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Low byte first.
    Little,
    /// High byte first.
    Big,
}

/// The order of a text's bytes, if it is UTF-16: by its mark, or by the zeros beside plain letters.
pub(super) fn order_of(start: &[u8]) -> Option<Order> {
    let is_plain = |byte: u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    match start {
        [0xff, 0xfe, ..] => Some(Order::Little),
        [0xfe, 0xff, ..] => Some(Order::Big),
        [first, 0, second, 0, ..] if is_plain(*first) && is_plain(*second) => Some(Order::Little),
        [0, first, 0, second, ..] if is_plain(*first) && is_plain(*second) => Some(Order::Big),
        _ => None,
    }
}

/// A text as UTF-8; what is no UTF-16 in it reads as U+FFFD.
pub(super) struct Utf16<R> {
    input: R,
    units: Units,
    text: Vec<u8>,
    at: usize,
}

/// Units as they come, some of them cut.
struct Units {
    order: Order,
    /// The first byte of a unit whose second has not come.
    half: Option<u8>,
    /// The first unit of a pair whose second has not come.
    high: Option<u16>,
    /// The last letter.
    last: char,
}

impl<R: BufRead> Utf16<R> {
    pub(super) fn new(input: R, order: Order) -> Self {
        Self {
            input,
            units: Units {
                order,
                half: None,
                high: None,
                last: '\n',
            },
            text: Vec::new(),
            at: 0,
        }
    }

    /// Takes the next bytes; false at the end.
    fn fill(&mut self) -> io::Result<bool> {
        self.text.clear();
        self.at = 0;
        let bytes = self.input.fill_buf()?;
        let length = bytes.len();
        for byte in bytes {
            self.units.take(*byte, &mut self.text);
        }
        self.input.consume(length);
        if length == 0 {
            self.units.end(&mut self.text);
        }
        Ok(length > 0 || !self.text.is_empty())
    }
}

impl Units {
    fn take(&mut self, byte: u8, text: &mut Vec<u8>) {
        let Some(first) = self.half.take() else {
            self.half = Some(byte);
            return;
        };
        if self.is_single(first, byte) {
            self.push(char::from(first), text);
            self.half = Some(byte);
            return;
        }
        let unit = match self.order {
            Order::Little => u16::from_le_bytes([first, byte]),
            Order::Big => u16::from_be_bytes([first, byte]),
        };
        let is_high = (0xd800..0xdc00).contains(&unit);
        let is_low = (0xdc00..0xe000).contains(&unit);
        match self.high.take() {
            Some(high) if is_low => {
                let pair = char::decode_utf16([high, unit]).flatten();
                pair.for_each(|letter| self.push(letter, text));
                return;
            }
            Some(_) => self.push(char::REPLACEMENT_CHARACTER, text),
            None => {}
        }
        if is_high {
            self.high = Some(unit);
        } else {
            let letter = char::from_u32(u32::from(unit));
            self.push(letter.unwrap_or(char::REPLACEMENT_CHARACTER), text);
        }
    }

    /// True if a byte is a line end of single bytes, as `Add-Content` puts behind what `Out-File` wrote.
    ///
    /// Behind the end of a line, an object or a list no letter stands whose two bytes are a line end and what begins the
    /// next line.
    fn is_single(&self, first: u8, second: u8) -> bool {
        self.order == Order::Little
            && matches!(self.last, '}' | ']' | '\n' | '\r')
            && matches!(first, b'\n' | b'\r')
            && matches!(second, b'\n' | b'\r' | b'{' | b'[' | b'"')
    }

    fn push(&mut self, letter: char, text: &mut Vec<u8>) {
        self.last = letter;
        text.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
    }

    fn end(&mut self, text: &mut Vec<u8>) {
        let (half, high) = (self.half.take(), self.high.take());
        // A last line end of one byte, or DOS' end of a file, is nothing of the text.
        let half = half.filter(|byte| !byte.is_ascii_whitespace() && *byte != 0x1a);
        if half.is_some() || high.is_some() {
            self.push(char::REPLACEMENT_CHARACTER, text);
        }
    }
}

impl<R: BufRead> Read for Utf16<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.text.len() {
            if !self.fill()? {
                return Ok(0);
            }
        }
        let length = buffer.len().min(self.text.len() - self.at);
        buffer[..length].copy_from_slice(&self.text[self.at..self.at + length]);
        self.at += length;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::{Order, Utf16, order_of};
    use std::io::{BufReader, Read};

    fn decoded(bytes: &[u8], order: Order) -> String {
        let mut text = String::new();
        // A buffer of one byte cuts every unit and pair.
        Utf16::new(BufReader::with_capacity(1, bytes), order)
            .read_to_string(&mut text)
            .unwrap();
        text
    }

    #[test]
    fn both_orders_are_told_and_read() {
        let text = "\u{feff}{\"é\":\"😀\"}\n";
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(order_of(&little), Some(Order::Little));
        assert_eq!(order_of(&big), Some(Order::Big));
        assert_eq!(decoded(&little, Order::Little), text);
        assert_eq!(decoded(&big, Order::Big), text);
        let plain: Vec<u8> = "{\"a\":1}"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        assert_eq!(order_of(&plain), Some(Order::Little));
        assert_eq!(order_of(b"{\"a\":1}"), None);
        assert_eq!(order_of(b""), None);
    }

    #[test]
    fn what_is_no_utf16_is_marked() {
        let units: Vec<u8> = [0x61, 0xd83d, 0xd83d, 0xde00, 0xdc00, 0x62, 0xd83d]
            .into_iter()
            .flat_map(u16::to_le_bytes)
            .chain([7])
            .collect();
        assert_eq!(
            decoded(&units, Order::Little),
            "a\u{fffd}😀\u{fffd}b\u{fffd}"
        );
    }

    #[test]
    fn line_ends_of_single_bytes_behind_and_between_do_not_shift_the_rest() {
        let utf16 =
            |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
        let tail = [utf16("{\"a\":1}\r\n"), b"\n\r\n".to_vec()].concat();
        assert_eq!(decoded(&tail, Order::Little).trim_end(), "{\"a\":1}");
        assert!(!decoded(&tail, Order::Little).contains('\u{fffd}'));
        let joined = [utf16("{\"a\":1}"), b"\n".to_vec(), utf16("{\"b\":\"ਊ\"}")].concat();
        assert_eq!(decoded(&joined, Order::Little), "{\"a\":1}\n{\"b\":\"ਊ\"}");
    }
}
