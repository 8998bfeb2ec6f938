use super::*;

#[test]
fn every_shipped_mapping_holds() {
    let failed: Vec<String> = shipped()
        .iter()
        .filter_map(|text| {
            let error = Mapping::load(text).err()?;
            let head = text.lines().next().unwrap_or_default();
            Some(format!("{head}: {error}"))
        })
        .collect();
    assert_eq!(failed, Vec::<String>::new());
}

/// The mapping that the README shows is one that works.
#[test]
fn the_readme_shows_a_mapping_that_holds() {
    let readme = include_str!("../../../../README.md");
    let block = readme
        .split("```toml\n")
        .find(|block| block.starts_with("kind = "))
        .and_then(|block| block.split("```").next())
        .unwrap();
    let mapping = Mapping::load(block).unwrap();
    assert_eq!(mapping.kind(), "acme_alert");
}
