"""tools/openssl_results.py finds a call of OpenSSL whose result is dropped, and none in this tree."""

from pathlib import Path

import pytest

import openssl_results

ROOT = Path(__file__).resolve().parents[2]
SET = "X509_VERIFY_PARAM_set1_ip_asc(expected, host.c_str())"


def test_every_result_in_this_tree_is_looked_at() -> None:
    assert openssl_results.check(ROOT / "cpp") == []
    assert any(
        openssl_results.CALL.search(path.read_text(encoding="utf-8"))
        for path in (ROOT / "cpp").rglob("*.cpp")
    )


@pytest.mark.parametrize(
    "code",
    [
        f"void f() {{ {SET}; }}",
        f"void f() {{\n    g();\n    {SET};\n}}",
        f"void f() {{ if (is_name) {SET}; }}",
        f"void f() {{ if (is_name) {{ g(); }} else {SET}; }}",
        f"void f() {{ (void){SET}; }}",
        f"void f() {{ static_cast<void>({SET}); }}",
        f"void f() {{ std::ignore = {SET}; }}",
        f"void f() {{ ::{SET}; }}",
        f"void f() {{ g(), {SET}; }}",
        f"void f() {{ switch (x) {{ case 1: {SET}; }} }}",
        f"void f() {{ do {SET}; while (x); }}",
        "void f() { SSL_set_tlsext_host_name(session, host.c_str()); }",
        "void f() { BIO_write(out, data, size); // SSL_free(x)\n}",
        "void f() { SSL_CTX_set_min_proto_version  (context, TLS1_2_VERSION); }",
    ],
)
def test_a_result_that_is_dropped_is_found(code: str) -> None:
    assert len(openssl_results.ignored(code)) == 1, code


@pytest.mark.parametrize(
    "code",
    [
        f"bool f() {{ return {SET} == 1; }}",
        f"void f() {{ if ({SET} != 1) {{ fail(); }} }}",
        f"void f() {{ const int done = {SET}; }}",
        f"bool f() {{ return a && {SET} == 1 && !{SET}; }}",
        f"void f() {{ g(x, {SET}); }}",
        f"void f() {{ g(a ? b : {SET}); }}",
        f"void f() {{ // {SET};\n }}",
        f'void f() {{ log("{SET};"); }}',
        "S::S() : session_(SSL_new(context)) {}",
        "void f() { SSL_set_bio(session, in, out); ERR_clear_error(); }",
        "void operator()(SSL* session) { SSL_free(session); }",
    ],
)
def test_a_result_that_is_used_is_not(code: str) -> None:
    assert openssl_results.ignored(code) == [], code


def test_file_and_line_are_named(tmp_path: Path) -> None:
    source = tmp_path / "http" / "src" / "tls.cpp"
    source.parent.mkdir(parents=True)
    source.write_text(f"// TLS.\nvoid f() {{\n    {SET};\n}}\n")
    assert openssl_results.check(tmp_path) == [
        f"{source}:3: nobody looks at what X509_VERIFY_PARAM_set1_ip_asc returns; "
        "a call that failed has done nothing"
    ]


def test_a_build_runs_it() -> None:
    assert "tools/openssl_results.py" in (ROOT / "cmake" / "FloorPlan.cmake").read_text()
