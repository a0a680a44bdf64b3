//! Downloads that are interrupted, damaged, shared or without room.

use super::*;

#[test]
fn an_interrupted_download_goes_on() {
    let server = Server::of(&golden(), &FILES);
    let place = Place::new();
    // The connection breaks twice, and what comes brings it on.
    server.state().cuts.extend([1000, 500]);
    place.from(&server).get("lab/tiny").unwrap();
    let asked: Vec<String> = server.state().large.iter().map(|r| r.1.clone()).collect();
    let path = "/model.safetensors?signature=s";
    assert_eq!(
        asked,
        [
            path.to_owned(),
            format!("{path} 1000-"),
            format!("{path} 1500-")
        ]
    );
    assert!(place.names("blobs").iter().all(|name| !name.contains('.')));
}

#[test]
fn a_stopped_download_leaves_no_snapshot_and_is_resumed_later() {
    let server = Server::of(&golden(), &FILES);
    let place = Place::new();
    server.state().cuts.extend([1000, 0]);
    let error = place.error(&server, "lab/tiny");
    assert_eq!(error.code(), ErrorCode::Unavailable);
    let text = error.to_string();
    assert!(
        text.contains("`model.safetensors` stopped after 1000 of"),
        "{text}"
    );
    assert_eq!(place.names("snapshots"), [""; 0]);
    assert_eq!(place.names("refs"), [""; 0]);
    let offline = place
        .registry(Download::Never)
        .get("lab/tiny")
        .err()
        .unwrap();
    assert!(matches!(offline, EmbedError::NotCached { .. }));

    server.state().large.clear();
    place.from(&server).get("lab/tiny").unwrap();
    assert_eq!(
        server.state().large[0].1,
        "/model.safetensors?signature=s 1000-"
    );
}

#[test]
fn a_host_that_sends_the_whole_again() {
    let server = Server::of(&golden(), &FILES);
    let place = Place::new();
    server.state().ignores_ranges = true;
    server.state().cuts.extend([1000]);
    place.from(&server).get("lab/tiny").unwrap();
    assert_eq!(server.state().large.len(), 2);
    // It brings nothing new, and ends.
    let place = Place::new();
    server.state().cuts.extend([1000, 1000]);
    assert_eq!(
        place.error(&server, "lab/tiny").code(),
        ErrorCode::Unavailable
    );
}

#[test]
fn damaged_bytes_are_not_kept() {
    let server = Server::of(&golden(), &FILES);
    let place = Place::new();
    server.state().damages = true;
    let error = place.error(&server, "lab/tiny");
    assert_eq!(error.code(), ErrorCode::InvalidData);
    assert!(error.to_string().contains("digest"), "{error}");
    assert_eq!(place.names("snapshots"), [""; 0]);
    assert!(place.names("blobs").iter().all(|name| !name.contains('.')));

    // A remainder of other bytes is found out, and all is fetched anew.
    server.state().damages = false;
    let weights = etag(
        "model.safetensors",
        &server.state().files["model.safetensors"],
    );
    let partial = place.model().join(format!("blobs/{weights}.incomplete"));
    std::fs::write(&partial, vec![7; 2000]).unwrap();
    let steps = Arc::new(Mutex::new((0_u64, 0_u64, 0_u64)));
    let seen = Arc::clone(&steps);
    let mut hub = hub(&server);
    hub.report = Some(Arc::new(move |step| {
        let mut seen = seen.lock().unwrap();
        match step {
            Step::Begins { bytes, .. } => seen.0 = bytes,
            Step::Bytes(bytes) => seen.1 += bytes,
            Step::Again(bytes) => seen.2 += bytes,
            _ => {}
        }
    }));
    place.registry(Download::From(hub)).get("lab/tiny").unwrap();
    let (announced, came, again) = *steps.lock().unwrap();
    assert_eq!((came - again, again), (announced, announced));
    let asked = server
        .state()
        .large
        .iter()
        .map(|r| r.1.clone())
        .collect::<Vec<_>>();
    assert_eq!(asked.len(), 3, "{asked:?}");
}

#[test]
fn what_another_tool_began_is_completed() {
    let server = Server::of(&golden(), &FILES);
    let place = Place::new();
    std::fs::create_dir_all(place.snapshot()).unwrap();
    std::fs::create_dir_all(place.model().join("refs")).unwrap();
    std::fs::write(place.model().join("refs/main"), COMMIT).unwrap();
    std::fs::copy(
        golden().join("config.json"),
        place.snapshot().join("config.json"),
    )
    .unwrap();
    let offline = place
        .registry(Download::Never)
        .get("lab/tiny")
        .err()
        .unwrap();
    assert!(
        offline.to_string().contains("no *.safetensors"),
        "{offline}"
    );
    place.from(&server).get("lab/tiny").unwrap();
    place.registry(Download::Never).get("lab/tiny").unwrap();
}

#[test]
fn two_downloads_at_once() {
    let server = Server::of(&golden(), &FILES);
    let place = Place::new();
    // The large file is not sent before both have looked whether it is here.
    let gate = Arc::new(Barrier::new(2));
    server.state().gate = Some(Arc::clone(&gate));
    let waits = Arc::new(Mutex::new(0));
    std::thread::scope(|scope| {
        let run = || {
            let mut hub = hub(&server);
            let (waits, gate) = (Arc::clone(&waits), Arc::clone(&gate));
            hub.report = Some(Arc::new(move |step| {
                if let Step::Waits { name } = step
                    && name == "model.safetensors"
                {
                    *waits.lock().unwrap() += 1;
                    gate.wait();
                }
            }));
            let registry = place.registry(Download::From(hub));
            scope.spawn(move || {
                registry
                    .get("lab/tiny")
                    .map(|encoder| encoder.spec().clone())
            })
        };
        let (a, b) = (run(), run());
        assert_eq!(a.join().unwrap().unwrap(), b.join().unwrap().unwrap());
    });
    assert_eq!(*waits.lock().unwrap(), 1);
    assert_eq!(server.state().large.len(), 1);
    assert_eq!(place.names("snapshots"), [COMMIT]);
    assert!(place.names(".").iter().all(|name| !name.starts_with('.')));
}

#[test]
fn a_full_disk_and_a_folder_that_cannot_be_written() {
    let fault = |kind: io::ErrorKind| HubFault::Disk {
        path: "x".into(),
        source: kind.into(),
    };
    assert_eq!(
        fault(io::ErrorKind::StorageFull).code(),
        ErrorCode::StorageFull
    );
    assert_eq!(
        fault(io::ErrorKind::QuotaExceeded).code(),
        ErrorCode::StorageFull
    );
    // A file where the folder should be.
    let server = Server::of(&golden(), &FILES);
    let place = Place::new();
    std::fs::write(place.model(), "").unwrap();
    let error = place.error(&server, "lab/tiny");
    assert!(error.to_string().contains("cannot be written"), "{error}");
}
