#include "../../../cpp/http/src/url.hpp"

#include <gmock/gmock.h>

namespace ktrdr {
namespace {

using testing::HasSubstr;

TEST(Url, SaysWhereAndWhatToAskFor) {
    const Url url = parse_url("HTTPS://Host_1.Example:8443/a/B?x=1#part").value();
    EXPECT_TRUE(url.origin.tls);
    EXPECT_EQ(url.origin.host, "host_1.example");
    EXPECT_EQ(url.origin.port, "8443");
    EXPECT_EQ(url.origin.host_header, "host_1.example:8443");
    EXPECT_EQ(url.origin.url, "https://host_1.example:8443");
    EXPECT_EQ(url.target, "/a/B?x=1");
}

TEST(Url, WritesAnAddressOfIpv6InBracketsAndLooksItUpWithout) {
    const Origin origin = parse_url("http://[2001:DB8::1]/").value().origin;
    EXPECT_EQ(origin.host, "2001:db8::1");
    EXPECT_EQ(origin.host_header, "[2001:db8::1]") << "80 is the scheme's own port";
    EXPECT_EQ(origin.url, "http://[2001:db8::1]:80");
}

TEST(Url, KeepsTheZoneOfAnAddress) {
    const Origin origin = parse_url("http://[FE80::1%eth0]:0080/").value().origin;
    EXPECT_EQ(origin.host, "fe80::1%eth0");
    EXPECT_EQ(origin.port, "80");
    EXPECT_EQ(origin.host_header, "[fe80::1%eth0]");
    EXPECT_EQ(parse_url("http://[fe80::1%25Eth0]/").value().origin.host, "fe80::1%25Eth0");
    EXPECT_TRUE(parse_url("http://[fe80::1%eth0/").has_error());
    EXPECT_TRUE(parse_url("http://[%eth0]/").has_error());
    for (const std::string zone : {"", "0@", "a:b", "a[b", "a\\b", "a;b", "a|b"}) {
        EXPECT_TRUE(parse_url("http://[fe80::1%" + zone + "]/").has_error()) << zone;
    }
    EXPECT_EQ(parse_url("http://[fe80::1%25en.0-1_a~]/").value().origin.host, "fe80::1%25en.0-1_a~");
}

TEST(Url, KeepsATargetAsItIsWritten) {
    for (const char* const target : {"/a|b", "/%7Eme/{id}", "/?x=[1]&y=\"2\"", "/a//../b", "/100%"}) {
        EXPECT_EQ(parse_url(std::string("http://h") + target).value().target, target);
    }
    EXPECT_EQ(parse_url("http://h?x=1").value().target, "/?x=1");
}

TEST(Url, SaysWhatIsWrong) {
    const auto wrong = [](std::string_view url) { return parse_url(url).error().message; };
    EXPECT_THAT(wrong("http"), HasSubstr("does not begin with http://"));
    EXPECT_THAT(wrong("httpx://h"), HasSubstr("does not begin with http://"));
    EXPECT_THAT(wrong("http://me@h"), HasSubstr("user name"));
    EXPECT_THAT(wrong("http:///path"), HasSubstr("no host"));
    EXPECT_THAT(wrong("http://[::1"), HasSubstr("neither a name nor an address"));
    EXPECT_THAT(wrong("http://[::g]"), HasSubstr("neither a name nor an address"));
    EXPECT_THAT(wrong("http://h:x"), HasSubstr("port is not a number"));
    for (const char* const port : {":", ":0", ":65536", ":70000", ":99999", ":4294967376"}) {
        EXPECT_THAT(wrong(std::string("http://h") + port), HasSubstr("from 1 to 65535")) << port;
    }
}

}  // namespace
}  // namespace ktrdr
