"""Find calls of OpenSSL whose result nobody looks at: a setter that failed is a check that is not made.

OpenSSL says by what it returns that something did not happen, a host name that was not taken as much as memory that ran
out, and none of its functions is marked so that a compiler would ask. Here every call must be part of an expression or
of a condition, but for those that return nothing. A result that is put into a variable and left there is the compiler's
to find (-Wunused-variable, an error in this tree).

Run as a build step beside the floor plan, and by the tests. It needs nothing but Python's standard library.
"""

import re
import sys
from pathlib import Path

CALL = re.compile(
    r"\b(?:SSL|BIO|X509|X509V3|ERR|EVP|PEM|ASN1|RAND|HMAC|CRYPTO|OPENSSL|OSSL)_\w+(?=\s*\()"
)
# Those that return nothing.
NOTHING = {
    "ERR_clear_error",
    "SSL_CTX_free",
    "SSL_CTX_set_default_passwd_cb",
    "SSL_CTX_set_security_level",
    "SSL_CTX_set_verify",
    "SSL_free",
    "SSL_set_bio",
    "SSL_set_connect_state",
    "X509_VERIFY_PARAM_set_hostflags",
}
# Comments, texts and single characters: what looks like code in them is none.
NO_CODE = re.compile(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])'", re.DOTALL)
# What a statement begins behind, a cast to void, and a name for what is thrown away.
DROPPED = re.compile(r"(?:^|[;{}),:]|\belse|\bdo|static_cast<void>\(|std::ignore\s*=)\s*$")


def ignored(source: str) -> list[tuple[int, str]]:
    """Give line and name of each call in C++ whose result is dropped."""
    code = NO_CODE.sub(lambda found: re.sub(r"[^\n]", " ", found.group()), source)
    found = []
    for call in CALL.finditer(code):
        before = code[: call.start()].removesuffix("::").rstrip()
        # Behind a comma or a colon it may be an argument or the other half of a choice.
        part = before.endswith((",", ":")) and before.count("(") > before.count(")")
        if call.group() not in NOTHING and DROPPED.search(before) and not part:
            found.append((code.count("\n", 0, call.start()) + 1, call.group()))
    return found


def check(cpp: Path) -> list[str]:
    """Return a line for each such call below a folder."""
    return [
        f"{path}:{line}: nobody looks at what {name} returns; a call that failed has done nothing"
        for path in sorted(cpp.rglob("*"))
        if path.suffix in (".hpp", ".cpp", ".h", ".cc")
        for line, name in ignored(path.read_text(encoding="utf-8"))
    ]


def main() -> int:
    """Check the tree this file lies in; print what is dropped."""
    findings = check(Path(__file__).resolve().parents[1] / "cpp")
    for line in findings:
        print(f"openssl: {line}", file=sys.stderr)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
