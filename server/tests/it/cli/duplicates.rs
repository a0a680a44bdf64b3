//! `penstock duplicates`.

use super::Place;

#[test]
fn near_duplicates_are_grouped() {
    let place = Place::new();
    let globin = "VLSPADKTNVKAAWGKVGAHAGEYGAEALERMFLSFPTTKTYFPHFDLSHGSAQVKGHGKKVADALTNAVAHVDDMPNAL";
    let other = "MKRISTTITTTITITTGNGAGMSLLEKYTPAQLEEHLRKWAQKYGDDPVFRNLVKELEAAGRPVRFVDQDCSWWPHNEYK";
    // One letter changed in a long sequence is a small step.
    let near = globin.replacen("MFLSF", "MFLAF", 1);
    let text = format!(">a\n{globin}\n>b\n{globin}\n>c\n{near}\n>z\n{other}\n");
    place.file("p.fasta", text);
    place.json(&["ingest", "p", "p.fasta"]);
    let found = place.json(&["duplicates", "p", "--within", "0.1"]);
    assert_eq!(
        (&found["cluster_count"], &found["rows"]),
        (&1.into(), &4.into())
    );
    assert_eq!(
        (&found["exact"], &found["tier"]),
        (&true.into(), &"exact".into())
    );
    let members = found["clusters"][0]["members"].as_array().unwrap();
    let ids: Vec<&str> = members
        .iter()
        .map(|member| member["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["a", "b", "c"]);
    assert!(members[1]["distance"].as_f64().unwrap() < 1e-6);
    assert!(members[2]["distance"].as_f64().unwrap() > 1e-6);
    let found = place.json(&["duplicates", "p", "--within", "0", "--where", "id <> 'c'"]);
    assert_eq!(
        (&found["cluster_count"], &found["pairs"]),
        (&1.into(), &1.into())
    );
    let text = place.text(&["duplicates", "p", "--within", "0.1"]);
    assert!(
        text.contains("1 cluster") && text.contains("a b c"),
        "{text}"
    );
    place.fails(2, &["duplicates", "p", "--within", "-1"]);
    place.fails(3, &["duplicates", "p", "--within", "0.1", "--tier", "hot"]);
    place.fails(3, &["duplicates", "nothing", "--within", "0.1"]);
}
