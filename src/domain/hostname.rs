//! Hostnames of vhosts.

use super::name::text_newtype;

text_newtype! {
    /// A hostname in its canonical form: lower-case ASCII (IDNA applied), at most 253 characters, no trailing dot; or
    /// `*.` before one for a wildcard of one label; or an IPv4 address or a bracketed IPv6 address.
    Hostname, canonical,
    #[schema(max_length = 255, example = "shop.example.com")]
}

impl Hostname {
    /// The part behind `*.`, where this is a wildcard.
    pub fn wildcard(&self) -> Option<&str> {
        self.as_str().strip_prefix("*.")
    }

    /// A host that this hostname serves, for a probe: itself, or the wildcard's label filled in.
    pub fn sample(&self) -> String {
        match self.wildcard() {
            Some(rest) => format!("guard-proxy-probe.{rest}"),
            None => self.as_str().to_owned(),
        }
    }
}

fn canonical(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("a hostname is not empty".to_owned());
    }
    if text.len() > 1000 || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err("a hostname has no spaces or control characters and at most 253 characters".to_owned());
    }
    if let Some(inner) = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')) {
        let address: std::net::Ipv6Addr = inner.parse().map_err(|_| format!("`{inner}` is not an IPv6 address"))?;
        return Ok(format!("[{address}]"));
    }
    let (wildcard, rest) = match text.strip_prefix("*.") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    if rest.contains('*') {
        return Err("a wildcard is one whole label at the front: `*.example.com`".to_owned());
    }
    let ascii = idna::domain_to_ascii_strict(rest.strip_suffix('.').unwrap_or(rest))
        .map_err(|_| format!("`{rest}` is not a hostname: labels are letters, digits and `-`, 1 to 63 characters each"))?;
    if ascii.is_empty() || ascii.len() > 253 {
        return Err("a hostname has 1 to 253 characters".to_owned());
    }
    let labels: Vec<&str> = ascii.split('.').collect();
    let label_ok = |label: &&str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    if !labels.iter().all(label_ok) {
        return Err(format!("`{rest}` is not a hostname: labels are letters, digits and `-`, 1 to 63 characters each"));
    }
    if labels.last().is_some_and(|label| label.bytes().all(|b| b.is_ascii_digit())) && ascii.parse::<std::net::Ipv4Addr>().is_err() {
        return Err(format!("`{rest}` ends in a number and is not an IPv4 address"));
    }
    if wildcard {
        if labels.len() < 2 {
            return Err("a wildcard stands before at least two labels: `*.example.com`".to_owned());
        }
        return Ok(format!("*.{ascii}"));
    }
    Ok(ascii)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_forms() {
        for (given, want) in [
            ("Shop.Example.COM", "shop.example.com"),
            ("shop.example.com.", "shop.example.com"),
            ("*.Example.com", "*.example.com"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("192.0.2.9", "192.0.2.9"),
            ("[2001:DB8::1]", "[2001:db8::1]"),
            ("localhost", "localhost"),
        ] {
            assert_eq!(Hostname::parse(given).unwrap().as_str(), want);
        }
    }

    #[test]
    fn refused() {
        let long = format!("{}.example", "a.".repeat(130));
        let label = format!("{}.example", "a".repeat(64));
        for bad in [
            "",
            " ",
            "a b.example",
            "a\nb",
            "a.*.example",
            "*",
            "*.com",
            "**.example.com",
            "a_b.example",
            "-a.example",
            "a-.example",
            "a..example",
            "example.com/x",
            "example.com:80",
            "1.2.3.4.5",
            "256.1.1.1",
            "[::1",
            "[1.2.3.4]",
            "a\u{0}b",
            long.as_str(),
            label.as_str(),
        ] {
            assert!(Hostname::parse(bad).is_err(), "{bad:?}");
        }
    }
}
