//! Codes of an authenticator (RFC 6238: SHA-1, six digits, 30 s) and the recovery codes that stand in for it.

use aws_lc_rs::hmac;
use data_encoding::{BASE32_NOPAD, BASE32HEX_NOPAD};
use time::OffsetDateTime;

use super::secret::{Text, random};
use crate::domain::Email;
use crate::domain::error::Result;

const STEP_S: i64 = 30;
/// How many recovery codes there are.
const RECOVERY: usize = 10;

/// A seed, for a new authenticator.
pub fn seed() -> Result<[u8; 20]> {
    random()
}

/// As authenticators take it by hand.
pub fn shown(seed: &[u8]) -> Text {
    Text::new(BASE32_NOPAD.encode(seed))
}

/// As authenticators take it by a picture.
pub fn uri(seed: &[u8], email: &Email) -> Text {
    let unreserved = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    let label: String =
        email.as_str().bytes().map(|b| if unreserved(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect();
    Text::new(format!("otpauth://totp/Guard%20Proxy:{label}?secret={}&issuer=Guard%20Proxy", BASE32_NOPAD.encode(seed)))
}

fn code(seed: &[u8], step: i64) -> u32 {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, seed);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let tag = tag.as_ref();
    let at = usize::from(tag[tag.len() - 1] & 0xf);
    let word = u32::from_be_bytes([tag[at], tag[at + 1], tag[at + 2], tag[at + 3]]);
    (word & 0x7fff_ffff) % 1_000_000
}

/// The step whose code this is: that of now, the one before or the one after, and later than `used`, up to which codes are used up.
pub fn step_of(seed: &[u8], given: &str, now: OffsetDateTime, used: i64) -> Option<i64> {
    if given.len() != 6 || !given.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let current = now.unix_timestamp().div_euclid(STEP_S);
    // All are computed, whichever it is.
    let matching = [current - 1, current, current + 1]
        .map(|step| (super::secret::same(format!("{:06}", code(seed, step)).as_bytes(), given.as_bytes()), step));
    matching.into_iter().find(|(same, step)| *same && *step > used).map(|(_, step)| step)
}

/// The code of a time; for tests, who have no authenticator.
pub fn code_at(seed: &[u8], now: OffsetDateTime) -> String {
    format!("{:06}", code(seed, now.unix_timestamp().div_euclid(STEP_S)))
}

/// New recovery codes: 80 random bits each, in groups that can be typed.
pub fn recovery_codes() -> Result<Vec<Text>> {
    let one = || {
        let text = BASE32HEX_NOPAD.encode(&random::<10>()?).to_lowercase();
        Ok(Text::new(format!("{}-{}-{}-{}", &text[..4], &text[4..8], &text[8..12], &text[12..])))
    };
    (0..RECOVERY).map(|_| one()).collect()
}

/// A recovery code as it is hashed, however it was typed; none where it cannot be one.
pub fn recovery(given: &str) -> Option<Text> {
    let plain: String = given.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
    (plain.len() == 16).then(|| Text::new(format!("{}-{}-{}-{}", &plain[..4], &plain[4..8], &plain[8..12], &plain[12..])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_rfc() {
        let seed = b"12345678901234567890";
        for (at, expected) in [(59, "287082"), (1_111_111_109, "081804"), (1_111_111_111, "050471"), (2_000_000_000, "279037")] {
            let now = OffsetDateTime::from_unix_timestamp(at).unwrap();
            assert_eq!(code_at(seed, now), expected);
            assert_eq!(step_of(seed, expected, now, 0), Some(at / 30));
        }
    }

    #[test]
    fn a_code_is_good_around_its_time_and_once() {
        let (seed, at) = (b"12345678901234567890", OffsetDateTime::from_unix_timestamp(1_111_111_111).unwrap());
        let given = code_at(seed, at);
        let step = step_of(seed, &given, at, 0).unwrap();
        let later = |s: i64| at + time::Duration::seconds(s);
        assert_eq!(step_of(seed, &given, later(30), 0), Some(step));
        assert_eq!(step_of(seed, &given, later(-30), 0), Some(step));
        assert_eq!(step_of(seed, &given, later(61), 0), None);
        assert_eq!(step_of(seed, &given, at, step), None, "used up");
        for wrong in ["", "05047", "0504711", "05047a", " 50471"] {
            assert_eq!(step_of(seed, wrong, at, 0), None);
        }
    }

    #[test]
    fn recovery_codes_can_be_typed_anyhow() {
        let codes = recovery_codes().unwrap();
        assert_eq!(codes.len(), 10);
        let typed = codes[0].reveal().to_uppercase().replace('-', " ");
        assert_eq!(recovery(&typed).unwrap(), codes[0]);
        assert!(recovery("123456").is_none());
    }
}
