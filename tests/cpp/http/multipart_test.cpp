#include <ktrdr/http/multipart.hpp>

#include <gmock/gmock.h>

namespace ktrdr {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

std::string text_of(const Upload& upload) {
    std::string text;
    for (const UploadPart& part : upload.parts) {
        text += part.bytes;
    }
    return text;
}

FormPart field(std::string name, std::string content = "") {
    return {std::move(name), {}, {}, {std::move(content), nullptr}};
}

TEST(Multipart, IsItsPartsBetweenBoundaries) {
    std::vector<FormPart> parts{field("a", "1"), {"f", "x.csv", "text/csv", {"a,b", nullptr}}};
    const Upload upload = multipart_form(parts, "cut").value();
    EXPECT_EQ(
        text_of(upload),
        "--cut\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1"
        "\r\n--cut\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x.csv\"\r\nContent-Type: text/csv\r\n\r\n"
        "a,b\r\n--cut--\r\n");
    EXPECT_EQ(upload.size(), text_of(upload).size());
    EXPECT_EQ(text_of(multipart_form({}, "cut").value()), "--cut--\r\n");
}

TEST(Multipart, WritesNamesAsBrowsersDo) {
    const auto name = [](const std::string& given) {
        const std::string text = text_of(multipart_form({field(given)}, "x").value());
        const std::size_t begin = text.find('"') + 1;
        return text.substr(begin, text.find('"', begin) - begin);
    };
    EXPECT_EQ(name("a\"b"), "a%22b");
    EXPECT_EQ(name("a\rb\nc\r\nd\n\r"), "a%0D%0Ab%0D%0Ac%0D%0Ad%0D%0A%0D%0A");
    EXPECT_EQ(name("größe %22;\\"), "größe %22;\\");
    const Upload upload = multipart_form({{"f", "a\nb\"", "", {}}}, "x").value();
    EXPECT_THAT(text_of(upload), HasSubstr("filename=\"a%0Ab%22\"\r\n\r\n")) << "a file's name is left as it is";
}

TEST(Multipart, RefusesWhatWouldBeAnotherForm) {
    using std::string_literals::operator""s;
    const auto refused = [](FormPart part, std::string_view boundary = "x") {
        const auto made = multipart_form({std::move(part)}, boundary);
        return made ? "made" : made.error().message;
    };
    EXPECT_THAT(refused(field("a\0"s)), HasSubstr("NUL"));
    EXPECT_THAT(refused({"a", "b\0"s, "", {}}), HasSubstr("NUL"));
    for (const std::string& type : {"a/b\r\nX: 1"s, "a\n"s, "a\0"s}) {
        EXPECT_THAT(refused({"a", {}, type, {}}), HasSubstr("content type"));
    }
    for (const std::string& boundary : {""s, std::string(71, 'x'), "end "s, "\""s, "a\r\n"s, "ü"s}) {
        EXPECT_THAT(refused(field("a"), boundary), HasSubstr("RFC 2046")) << boundary;
    }
    EXPECT_EQ(refused(field("a"), std::string(69, 'x') + "?"), "made");
}

TEST(Multipart, TakesTheBoundaryOfTheCallersOwnContentType) {
    const auto begin = [](const std::string& type) {
        Request request;
        request.headers = {{"X-Other", "boundary=no"}, {"content-type", type}};
        const auto set = set_multipart(request, {field("a")});
        return set ? text_of(*request.upload).substr(0, 8) : set.error().message;
    };
    EXPECT_EQ(begin("multipart/form-data; boundary=abcd"), "--abcd\r\n");
    EXPECT_EQ(begin("multipart/mixed;x=1 ;\tBoundary=abcd ; z"), "--abcd\r\n");
    EXPECT_EQ(begin("multipart/mixed; boundary=\"ab d\"; z"), "--ab d\r\n");
    for (const char* const none : {"multipart/form-data", "a/b;", "a/b; ;", "a/b; boundary=", "a/b; boundary=\"\""}) {
        EXPECT_THAT(begin(none), HasSubstr("names no boundary")) << none;
    }
    EXPECT_EQ(begin("a/b; boundary=\"open"), "--open\r\n");
}

TEST(Multipart, HasAnotherBoundaryEachTime) {
    Request one;
    Request two;
    ASSERT_TRUE(set_multipart(one, {field("a")}));
    ASSERT_TRUE(set_multipart(two, {field("a")}));
    EXPECT_THAT(one.headers.at(0).second, StartsWith("multipart/form-data; boundary=ktrdr-"));
    EXPECT_NE(one.headers, two.headers);
}

}  // namespace
}  // namespace ktrdr
