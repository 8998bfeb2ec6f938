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
