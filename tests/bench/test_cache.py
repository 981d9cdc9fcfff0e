"""Which installations with old receipts are kept, and which are thrown away."""

from bench import cache


def kept(tmp_path, *names):
    for name in names:
        (tmp_path / "bench-cache" / name).mkdir(parents=True)


def test_only_what_the_pattern_names_is_forgotten(tmp_path, monkeypatch):
    monkeypatch.setenv("CHEKHOV_DATA_DIR", str(tmp_path))
    kept(tmp_path, "sqlite-100-aaaa", "sqlite-100-bbbb", "sqlite-200-aaaa")
    (tmp_path / "bench-cache" / "notes.txt").write_text("stays")
    cache.forget("sqlite-100-*")
    assert sorted(place.name for place in cache.folder().iterdir()) == ["notes.txt", "sqlite-200-aaaa"]


def test_what_is_kept_is_taken_as_it_is(tmp_path, monkeypatch):
    monkeypatch.setenv("CHEKHOV_DATA_DIR", str(tmp_path))
    place = tmp_path / "bench-cache" / f"sqlite-100-{cache.fingerprint()}"
    kept(tmp_path, place.name)
    (place / "ready").write_text("100\n")
    assert cache.prepared("sqlite", 100) == place


def test_two_folders_have_two_databases(tmp_path):
    one, two = tmp_path / "one" / "postgresql-100-aaaa", tmp_path / "two" / "postgresql-100-aaaa"
    assert cache._name(one) != cache._name(two)
    assert cache._name(one).startswith("chekhov_bench_old_100_aaaa_")
    assert len(cache._name(one)) < 63
