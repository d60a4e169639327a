//! `vedette audit verify` and `vedette audit key`: whether the chain is what was written, and the key that signs it.

mod copy;

use std::path::PathBuf;

use anyhow::Context as _;
use respond::audit::signature::{AuditKey, PublicKey};
use respond::audit::{Anchor, Heads};
use respond::review::{Review, Verified, VerifyError};
use respond::stage::is_running;
use schemas::environment::{Clock as _, SystemClock};
use schemas::limits::{AUDIT_UNSIGNED_MAX, AUDIT_UNSIGNED_WAIT};

use self::copy::TOLD_MAX;
use crate::config::Config;
use crate::data_folder::is_within;
use crate::output::{Verdict, say};

/// A check of the audit chain.
#[derive(Debug, clap::Args)]
pub(crate) struct Verify {
    /// An entry that is known from elsewhere, as this command has told it.
    #[arg(long, value_name = "SEQUENCE:HASH", value_parser = anchor)]
    expect: Vec<Anchor>,
    /// The public key of whoever signs the chain, or a file with it; of each that ever did.
    #[arg(long, value_name = "FILE|HEX")]
    public_key: Vec<String>,
    /// Most entries after the last signature that are no finding; without it, what a responder that runs is still to sign.
    #[arg(long, value_name = "ENTRIES")]
    unsigned_max: Option<u64>,
}

/// A key that signs the audit chain.
#[derive(Debug, clap::Args)]
pub(crate) struct Key {
    /// The file of the private key, for `respond.audit_key`; not in the data folder.
    path: PathBuf,
    /// Make it.
    #[arg(long)]
    new: bool,
}

impl Key {
    /// Does it: the public key is told.
    pub(crate) fn run(&self, config: &Config) -> anyhow::Result<Verdict> {
        if self.new {
            anyhow::ensure!(
                !is_within(&self.path, &config.data),
                "{} is in the data folder: who can write the journal there could read the key too, and sign; name \
                 another place, best one that only the responder's user reads",
                self.path.display()
            );
        }
        let key = if self.new {
            AuditKey::make(&self.path)?
        } else {
            AuditKey::read(&self.path)?
        };
        let public = key.public();
        say(&format!("public key: {public}"))?;
        say(&format!("key id: {}", public.id()))?;
        if self.new {
            say(&format!(
                "set respond.audit_key = \"{}\", and keep the public key where you verify: vedette audit verify \
                 --public-key {public}",
                self.path.display()
            ))?;
        }
        Ok(Verdict::Done)
    }
}

/// Reads `SEQUENCE:HASH`.
fn anchor(text: &str) -> Result<Anchor, String> {
    let wrong =
        || "an entry is given as SEQUENCE:HASH, as `vedette audit verify` tells it".to_owned();
    let (sequence, hash) = text.split_once(':').ok_or_else(wrong)?;
    Ok(Anchor {
        sequence: sequence.trim().parse().map_err(|_| wrong())?,
        hash: hash.trim().to_ascii_lowercase(),
    })
}

/// Checks the chain, and says what it was checked against.
pub(super) fn run(review: &Review, config: &Config, asked: Verify) -> anyhow::Result<Verdict> {
    let now_us = SystemClock.now_us();
    let keys: Vec<PublicKey> = asked
        .public_key
        .iter()
        .map(|text| PublicKey::read(text).context("could not read the public key"))
        .collect::<anyhow::Result<_>>()?;
    let lake = copy::of_lake(config).context("could not read the lake's copy of the chain")?;
    let compared = match &lake {
        Some(copy) => format!("compared with {} entries of the lake", copy.anchors.len()),
        None => "there is no lake here to compare it with".to_owned(),
    };
    let anchors = lake.iter().flat_map(|copy| copy.anchors.iter().cloned());
    let anchors = anchors.chain(asked.expect).collect();
    let has_keys = !keys.is_empty();
    let verified = match review.verify_with(anchors, keys) {
        Ok(verified) => verified,
        Err(VerifyError::Broken(broken)) => {
            say(&format!("the audit chain is broken: {broken}; {compared}"))?;
            return Ok(Verdict::Findings);
        }
        Err(error) => return Err(error).context("could not read the audit chain"),
    };
    let Verified { head, back, heads } = verified;
    let count = head.as_ref().map_or(0, |head| head.sequence);
    match head {
        None => say(&format!("the audit chain is empty; {compared}"))?,
        Some(head) => say(&format!(
            "the audit chain verifies: {} entries; {compared}; keep the last one elsewhere, for --expect: {}:{}",
            head.sequence, head.sequence, head.hash
        ))?,
    };
    let mut verdict = Verdict::Done;
    let differing = actions_differ(review)?;
    let lacking = match &lake {
        Some(copy) => copy.findings(review, count, now_us)?,
        None => Vec::new(),
    };
    for finding in differing.iter().chain(&lacking) {
        say(finding)?;
        verdict = Verdict::Findings;
    }
    let unsigned = Unsigned {
        max: asked.unsigned_max,
        is_running: is_running(&config.journal()),
        now_us,
    };
    let (signatures, signed) = of_signatures(heads, count, has_keys, &unsigned);
    say(&signatures)?;
    if signed == Verdict::Findings {
        verdict = signed;
    }
    if let Some(back) = back {
        say(&format!(
            "time goes back by {} s at entry {}: a clock was put back, or entries were written later than they say",
            back.by_us / 1_000_000,
            back.sequence
        ))?;
    }
    Ok(verdict)
}

/// The actions of the journal that are not what the chain says of them, a line for their number and for each.
fn actions_differ(review: &Review) -> anyhow::Result<Vec<String>> {
    let differing = review
        .differences()
        .context("could not compare the actions with the chain")?;
    if differing.is_empty() {
        return Ok(Vec::new());
    }
    let all = format!(
        "{} actions of the journal are not what the chain says of them: who can write the journal has changed them",
        differing.len()
    );
    let each = differing
        .iter()
        .take(TOLD_MAX)
        .map(|one| format!("  action {}: {}", one.action_id, one.what));
    let more = differing.len().saturating_sub(TOLD_MAX);
    let more = (more > 0).then(|| format!("  and {more} more"));
    Ok(std::iter::once(all).chain(each).chain(more).collect())
}

/// What decides whether entries without a signature are a finding.
struct Unsigned {
    /// What the operator allows.
    max: Option<u64>,
    /// Whether a responder runs that may sign them yet.
    is_running: bool,
    now_us: i64,
}

impl Unsigned {
    /// Why the entries after the last signature are something to look at, or none.
    fn finding(&self, beyond: u64, since_us: Option<i64>) -> Option<String> {
        if let Some(max) = self.max {
            return (beyond > max).then(|| format!("; you allow {max}"));
        }
        if beyond == 0 {
            return None;
        }
        let age_us = since_us.map_or(0, |since_us| self.now_us.saturating_sub(since_us));
        let wait_us = i64::try_from(AUDIT_UNSIGNED_WAIT.as_micros()).unwrap_or(i64::MAX);
        if !self.is_running {
            let why = "no responder runs here that is still to sign them: one that has the key signs everything before it \
                       ends, so it was killed, or had no key, or another one; --unsigned-max allows a number";
            return Some(format!("; {why}"));
        }
        if beyond > AUDIT_UNSIGNED_MAX || age_us > wait_us.saturating_mul(2) {
            return Some(format!(
                "; a responder with the key leaves no more than {AUDIT_UNSIGNED_MAX} without a signature, and none for \
                 longer than {} s; --unsigned-max allows a number",
                AUDIT_UNSIGNED_WAIT.as_secs()
            ));
        }
        None
    }
}

/// What is said of a chain's signatures, and whether it is something to look at.
fn of_signatures(
    heads: Heads,
    count: u64,
    has_keys: bool,
    unsigned: &Unsigned,
) -> (String, Verdict) {
    let anew = "who can write the journal can write the chain anew";
    if !has_keys {
        let said = if heads.unchecked == 0 {
            format!("it is not signed: {anew} (see respond.audit_key)")
        } else {
            format!(
                "its {} signatures were not checked: {anew} unless you name the public key, --public-key",
                heads.unchecked
            )
        };
        return (said, Verdict::Done);
    }
    let others = match heads.unchecked {
        0 => String::new(),
        unchecked => format!(
            "; {unchecked} signatures are of keys that you did not name, and were not checked: name each that signed, \
             --public-key, or somebody else has signed"
        ),
    };
    if heads.checked == 0 {
        let verdict = if count == 0 {
            Verdict::Done
        } else {
            Verdict::Findings
        };
        return (
            format!("no entry is signed with the key that you named{others}"),
            verdict,
        );
    }
    let beyond = count - heads.last;
    let mut said = format!(
        "signed up to entry {}: {} signatures hold, {beyond} entries are beyond the last one{others}",
        heads.last, heads.checked
    );
    if let Some((covered, sequence)) = heads
        .latest
        .filter(|(covered, _)| *covered > AUDIT_UNSIGNED_MAX)
    {
        said = format!(
            "{said}; {covered} entries were signed only by entry {sequence}: until then they could be written anew"
        );
    }
    if let Some(why) = unsigned.finding(beyond, heads.unsigned_since_us) {
        return (format!("{said}{why}"), Verdict::Findings);
    }
    let verdict = if heads.unchecked > 0 {
        Verdict::Findings
    } else {
        Verdict::Done
    };
    (said, verdict)
}

#[cfg(test)]
mod tests {
    use respond::audit::Heads;

    use super::Unsigned;
    use crate::output::Verdict;

    #[test]
    fn what_is_signed_late_or_not_at_all_is_said() {
        let heads = Heads {
            checked: 2,
            unchecked: 0,
            last: 10,
            unsigned_since_us: Some(0),
            latest: Some((8, 10)),
        };
        let runs = |max, now_us| Unsigned {
            max,
            is_running: true,
            now_us,
        };
        let of_signatures =
            |heads, count, has_keys| super::of_signatures(heads, count, has_keys, &runs(None, 1));
        let (said, verdict) = of_signatures(heads, 12, true);
        assert!(said.contains("2 entries are beyond the last one"), "{said}");
        assert_eq!(verdict, Verdict::Done);
        // Not signed for longer than a responder with the key waits, or nobody is there to sign it.
        let stopped = Unsigned {
            is_running: false,
            ..runs(None, 1)
        };
        for (unsigned, expected) in [
            (runs(None, 3_600_000_000), Verdict::Findings),
            (stopped, Verdict::Findings),
            (runs(Some(2), 3_600_000_000), Verdict::Done),
            (runs(Some(1), 1), Verdict::Findings),
        ] {
            assert_eq!(super::of_signatures(heads, 12, true, &unsigned).1, expected);
        }
        let strangers = Heads {
            unchecked: 2,
            ..heads
        };
        let (said, verdict) = of_signatures(strangers, 10, true);
        assert!(
            said.contains("2 signatures are of keys that you did not name"),
            "{said}"
        );
        assert_eq!(verdict, Verdict::Findings);
        let (said, verdict) = of_signatures(heads, 1_000, true);
        assert!(said.contains("990 entries are beyond"), "{said}");
        assert_eq!(verdict, Verdict::Findings);
        let late = Heads {
            latest: Some((500, 10)),
            ..heads
        };
        let (said, _) = of_signatures(late, 10, true);
        assert!(
            said.contains("500 entries were signed only by entry 10"),
            "{said}"
        );
        assert_eq!(
            of_signatures(Heads::default(), 7, true).1,
            Verdict::Findings
        );
        let (said, verdict) = of_signatures(Heads::default(), 7, false);
        assert!(said.contains("it is not signed"), "{said}");
        assert_eq!(verdict, Verdict::Done);
    }
}
