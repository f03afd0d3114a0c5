//! From text to lines to pieces, as Coraza's parser would cut them, with the place of each
//! character kept.
//!
//! Coraza trims every physical line, skips empty ones and those that begin with `#` (also inside
//! a continuation), joins a line that ends in a backslash with the next one without a blank
//! between, and looks at quotes only after that.

/// A run of characters of the text; joined lines make the offsets jump.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece<'a> {
    chars: &'a [(usize, char)],
    /// Where the piece is when it has no characters.
    at: usize,
}

impl<'a> Piece<'a> {
    pub fn new(chars: &'a [(usize, char)], at: usize) -> Self {
        Self { chars, at }
    }

    /// A place without text.
    pub fn nowhere(at: usize) -> Self {
        Self { chars: &[], at }
    }

    /// First byte, and one past the last.
    pub fn bounds(&self) -> (usize, usize) {
        match (self.chars.first(), self.chars.last()) {
            (Some((start, _)), Some((end, c))) => (*start, end + c.len_utf8()),
            _ => (self.at, self.at),
        }
    }

    /// The characters with their places.
    pub fn chars(&self) -> &'a [(usize, char)] {
        self.chars
    }

    pub fn len(&self) -> usize {
        self.chars.len()
    }

    pub fn is_empty(&self) -> bool {
        self.chars.is_empty()
    }

    pub fn get(&self, index: usize) -> Option<char> {
        self.chars.get(index).map(|(_, c)| *c)
    }

    pub fn iter(&self) -> impl Iterator<Item = char> + '_ {
        self.chars.iter().map(|(_, c)| *c)
    }

    pub fn text(&self) -> String {
        self.iter().collect()
    }

    pub fn position(&self, predicate: impl Fn(char) -> bool) -> Option<usize> {
        self.iter().position(predicate)
    }

    /// Characters `from..to`, clamped to what is there.
    pub fn slice(&self, from: usize, to: usize) -> Piece<'a> {
        let to = to.min(self.chars.len());
        let from = from.min(to);
        let at = match self.chars.get(from) {
            Some((offset, _)) => *offset,
            None => self.bounds().1,
        };
        Piece::new(&self.chars[from..to], at)
    }

    pub fn from(&self, from: usize) -> Piece<'a> {
        self.slice(from, self.len())
    }

    /// Without outer white space, by the same Unicode property Coraza uses.
    pub fn trim(&self) -> Piece<'a> {
        let from = self.position(|c| !c.is_whitespace());
        let Some(from) = from else {
            return self.slice(self.len(), self.len());
        };
        let behind = self.chars.iter().rev();
        let blanks = behind.take_while(|(_, c)| c.is_whitespace()).count();
        self.slice(from, self.len() - blanks)
    }

    /// Up to the first blank, and the rest without its leading blanks.
    pub fn split_word(&self) -> (Piece<'a>, Piece<'a>) {
        let end = self.position(char::is_whitespace).unwrap_or_else(|| self.len());
        (self.slice(0, end), self.from(end).trim())
    }

    /// The inside of a double-quoted string that begins here, and what follows it. A quote is
    /// escaped if an odd number of backslashes stands before it. `None` if it is not closed.
    pub fn split_quoted(&self) -> Option<(Piece<'a>, Piece<'a>)> {
        let mut backslashes = 0_usize;
        for (index, c) in self.iter().enumerate().skip(1) {
            match c {
                '\\' => backslashes += 1,
                '"' if backslashes.is_multiple_of(2) => {
                    return Some((self.slice(1, index), self.from(index + 1)));
                }
                _ => backslashes = 0,
            }
        }
        None
    }
}

/// One directive with its continuation lines joined.
#[derive(Debug)]
pub(super) struct Line {
    chars: Vec<(usize, char)>,
    at: usize,
}

impl Line {
    pub fn piece(&self) -> Piece<'_> {
        Piece::new(&self.chars, self.at)
    }
}

/// The lines of a text, and whether the last one still waits for its continuation (Coraza would
/// drop it without a word).
pub(super) fn lines(text: &str) -> (Vec<Line>, bool) {
    let mut lines = Vec::new();
    let mut open: Option<Line> = None;
    let mut offset = 0;
    for physical in text.split('\n') {
        let start = offset + (physical.len() - physical.trim_start().len());
        offset += physical.len() + 1;
        let content = physical.trim();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        let body = content.strip_suffix('\\');
        let mut line = open.take().unwrap_or(Line { chars: Vec::new(), at: start });
        let kept = body.unwrap_or(content);
        line.chars.extend(kept.char_indices().map(|(i, c)| (start + i, c)));
        if body.is_some() {
            open = Some(line);
        } else {
            lines.push(line);
        }
    }
    let unfinished = open.is_some();
    lines.extend(open);
    (lines, unfinished)
}
