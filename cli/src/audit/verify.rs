//! `vedette audit verify` and `vedette audit key`: whether the chain is what was written, and the key that signs it.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use respond::audit::signature::{AuditKey, PublicKey};
use respond::audit::{Anchor, Heads};
use respond::review::{Review, Verified, VerifyError};
use schemas::limits::AUDIT_UNSIGNED_MAX;
use sigma::plan::fields::text;

use super::{ask_lake, say};
use crate::config::Config;
use crate::exit::Verdict;

/// A check of the audit chain.
#[derive(Debug, clap::Args)]
pub(crate) struct Verify {
    /// An entry that is known from elsewhere, as this command has told it.
    #[arg(long, value_name = "SEQUENCE:HASH", value_parser = anchor)]
    expect: Vec<Anchor>,
    /// The public key of whoever signs the chain, or a file with it; of each that ever did.
    #[arg(long, value_name = "FILE|HEX")]
    public_key: Vec<String>,
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

/// Whether a file is, or would be, somewhere in a folder.
pub(crate) fn is_within(file: &Path, folder: &Path) -> bool {
    let real = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let parent = file.parent().filter(|it| !it.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    let parent = parent.canonicalize().unwrap_or_else(|_| real(parent));
    let folder = folder.canonicalize().unwrap_or_else(|_| real(folder));
    parent.starts_with(folder)
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

/// The entries that the lake has; none where there is no lake on this machine.
fn of_lake(config: &Config) -> anyhow::Result<Option<Vec<Anchor>>> {
    let Some([batches]) = ask_lake(config, ["SELECT chain_sequence, hash FROM actions"])? else {
        return Ok(None);
    };
    let mut anchors = Vec::new();
    for batch in &batches {
        for row in 0..batch.num_rows() {
            let sequence = text(batch, "chain_sequence", row).and_then(|text| text.parse().ok());
            if let (Some(sequence), Some(hash)) = (sequence, text(batch, "hash", row)) {
                anchors.push(Anchor { sequence, hash });
            }
        }
    }
    Ok(Some(anchors))
}

/// Checks the chain, and says what it was checked against.
pub(super) fn run(review: &Review, config: &Config, asked: Verify) -> anyhow::Result<Verdict> {
    let keys: Vec<PublicKey> = asked
        .public_key
        .iter()
        .map(|text| PublicKey::read(text).context("could not read the public key"))
        .collect::<anyhow::Result<_>>()?;
    let lake = of_lake(config).context("could not read the lake's copy of the chain")?;
    let compared = match &lake {
        Some(anchors) => format!("compared with {} entries of the lake", anchors.len()),
        None => "there is no lake here to compare it with".to_owned(),
    };
    let anchors = lake.into_iter().flatten().chain(asked.expect).collect();
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
    let (signatures, verdict) = of_signatures(heads, count, has_keys);
    say(&signatures)?;
    if let Some(back) = back {
        say(&format!(
            "time goes back by {} s at entry {}: a clock was put back, or entries were written later than they say",
            back.by_us / 1_000_000,
            back.sequence
        ))?;
    }
    Ok(verdict)
}

/// What is said of a chain's signatures, and whether it is something to look at.
fn of_signatures(heads: Heads, count: u64, has_keys: bool) -> (String, Verdict) {
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
        unchecked => format!("; {unchecked} signatures are of other keys, and were not checked"),
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
    if beyond > AUDIT_UNSIGNED_MAX {
        said = format!(
            "{said}; a responder with the key leaves no more than {AUDIT_UNSIGNED_MAX} without a signature"
        );
        return (said, Verdict::Findings);
    }
    (said, Verdict::Done)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use respond::audit::Heads;

    use super::{is_within, of_signatures};
    use crate::exit::Verdict;

    #[test]
    fn what_is_signed_late_or_not_at_all_is_said() {
        let heads = Heads {
            checked: 2,
            unchecked: 0,
            last: 10,
            latest: Some((8, 10)),
        };
        let (said, verdict) = of_signatures(heads, 12, true);
        assert!(said.contains("2 entries are beyond the last one"), "{said}");
        assert_eq!(verdict, Verdict::Done);
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

    #[test]
    fn a_file_is_in_a_folder_however_it_is_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("data");
        std::fs::create_dir(&data).expect("it is made");
        assert!(is_within(&data.join("key"), &data));
        assert!(is_within(&folder.path().join("data/../data/key"), &data));
        assert!(!is_within(&folder.path().join("key"), &data));
        assert!(!is_within(Path::new("key"), &data));
    }
}
