//! The licence of a checkpoint, from the header of its model card.

/// The `license` of the YAML header of `README.md`.
pub(super) fn of_card(card: &str) -> Option<String> {
    let header = card.strip_prefix("---")?.split("\n---").next()?;
    header.lines().find_map(|line| {
        let value = line.strip_prefix("license:")?.trim();
        let value = value.trim_matches(['"', '\'']);
        (!value.is_empty()).then(|| value.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::of_card;

    #[test]
    fn licence_is_read_from_the_header_only() {
        let card = "---\ntags:\n- DNA\nlicense: cc-by-nc-sa-4.0\n---\nlicense: none of this\n";
        assert_eq!(of_card(card).as_deref(), Some("cc-by-nc-sa-4.0"));
        assert_eq!(of_card("# A model\nlicense: mit\n"), None);
        assert_eq!(of_card("---\ntags: x\n---\nlicense: mit"), None);
    }
}
