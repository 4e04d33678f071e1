// The documents say what the table says: docs/formats/ipfix.md between its marks, and the whole of
// docs/formats/ipfix-elements.xml. With --write the documents are brought up to date instead.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/ipfix.h"

#define DOCUMENT POSTERN_SOURCE_DIR "/docs/formats/ipfix.md"
#define ELEMENTS POSTERN_SOURCE_DIR "/docs/formats/ipfix-elements.xml"
#define BEGIN    "<!-- fields: from common/ipfix_table.c -->\n"
#define END      "<!-- end of fields -->\n"
#define TEXT_MAX (1 << 18)

static const char *length_text(const struct ipfix_field *f, char out[static 32])
{
    if (!f->narrow)
        snprintf(out, 32, "%s", f->pen == IPFIX_PEN_POSTERN ? "-" : "any");
    else if (f->narrow == IPFIX_VARIABLE)
        snprintf(out, 32, "variable");
    else if (f->narrow == f->wide)
        snprintf(out, 32, "%u", f->narrow);
    else
        snprintf(out, 32, "%u or %u", f->narrow, f->wide);
    return out;
}

static void write_part(FILE *out, enum ipfix_part part)
{
    const struct ipfix_run run = ipfix_part_fields(part);
    fprintf(out, "\n### %s\n\n", ipfix_part_name(part));
    fprintf(out, "| element | number | type | octets | member of `struct record` | meaning |\n");
    fprintf(out, "|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < run.count; i++) {
        const struct ipfix_field *f = &run.field[i];
        char name[IPFIX_NAME_MAX], length[32];
        const char *pen = f->pen == IPFIX_PEN_POSTERN   ? "ours "
                          : f->pen == IPFIX_PEN_REVERSE ? "reverse "
                                                        : "";
        fprintf(out, "| %s | %s%u | %s | %s | %s%s%s | %s |\n", ipfix_element_name(f, name), pen,
                f->id, ipfix_type_name(f->type), length_text(f, length), *f->member ? "`" : "",
                f->member, *f->member ? "`" : "", f->text ? f->text : "");
    }
}

static char *fields_text(void)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    for (enum ipfix_part p = 0; p < IPFIX_PARTS; p++)
        write_part(out, p);
    fputs("\n", out);
    fclose(out);
    return text;
}

static void write_element(FILE *out, const struct ipfix_field *f)
{
    char name[IPFIX_NAME_MAX];
    fprintf(out,
            "    <record>\n"
            "      <name>%s</name>\n"
            "      <dataType>%s</dataType>\n"
            "      <dataTypeSemantics>%s</dataTypeSemantics>\n"
            "      <cert:enterpriseId>%u</cert:enterpriseId>\n"
            "      <elementId>%u</elementId>\n"
            "      <status>current</status>\n"
            "      <description><paragraph>",
            ipfix_element_name(f, name), ipfix_type_name(f->type),
            ipfix_semantics_name(f->semantics), f->pen, f->id);
    for (const char *c = f->text; *c; c++)
        fputs(*c == '<' ? "&lt;" : *c == '>' ? "&gt;" : *c == '&' ? "&amp;" : (char[]){*c, 0}, out);
    fputs("</paragraph></description>\n    </record>\n", out);
}

static char *elements_text(void)
{
    char *text = NULL;
    size_t len = 0;
    bool seen[32768] = {false};
    FILE *out = open_memstream(&text, &len);
    fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
          "<!-- Elements of Postern, for readers of the registry's form (libfixbuf and others).\n"
          "     32473 is the number for documentation (RFC 5612) until one is registered. -->\n"
          "<registry xmlns=\"http://www.iana.org/assignments\"\n"
          "          xmlns:cert=\"http://www.cert.org/ipfix\" id=\"postern-ipfix\">\n"
          "  <title>Postern IPFIX elements</title>\n"
          "  <registry id=\"postern-information-elements\">\n"
          "    <title>Postern IPFIX information elements</title>\n",
          out);
    for (enum ipfix_part p = 0; p < IPFIX_PARTS; p++) {
        const struct ipfix_run run = ipfix_part_fields(p);
        for (size_t i = 0; i < run.count; i++) {
            const struct ipfix_field *f = &run.field[i];
            if (f->pen != IPFIX_PEN_POSTERN || seen[f->id])
                continue;
            seen[f->id] = true;
            write_element(out, f);
        }
    }
    fputs("  </registry>\n</registry>\n", out);
    fclose(out);
    return text;
}

static void load(const char *path, char out[static TEXT_MAX])
{
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    size_t n = fread(out, 1, TEXT_MAX, in);
    fclose(in);
    assert_true(n < TEXT_MAX);
    out[n] = 0;
}

static void test_document(void **state)
{
    (void)state;
    static char document[TEXT_MAX];
    load(DOCUMENT, document);
    char *begin = strstr(document, BEGIN);
    char *end = strstr(document, END);
    assert_non_null(begin);
    assert_non_null(end);
    *end = 0;
    char *want = fields_text();
    assert_string_equal(begin + strlen(BEGIN), want);
    free(want);
}

static void test_element_list(void **state)
{
    (void)state;
    static char list[TEXT_MAX];
    load(ELEMENTS, list);
    char *want = elements_text();
    assert_string_equal(list, want);
    free(want);
}

// What holds of the table itself.
static void test_numbers(void **state)
{
    (void)state;
    static const struct ipfix_field *first[32768];
    for (enum ipfix_part p = 0; p < IPFIX_PARTS; p++) {
        const struct ipfix_run run = ipfix_part_fields(p);
        for (size_t i = 0; i < run.count; i++) {
            const struct ipfix_field *f = &run.field[i];
            char name[IPFIX_NAME_MAX], other[IPFIX_NAME_MAX];
            assert_in_range(f->id, 1, 511);
            assert_non_null(f->member);
            if (f->pen != IPFIX_PEN_POSTERN)
                continue;
            assert_non_null(f->text);
            if (first[f->id]) // one number, one meaning
                assert_string_equal(ipfix_element_name(f, name),
                                    ipfix_element_name(first[f->id], other));
            first[f->id] = f;
        }
    }
}

static int write_documents(void)
{
    static char document[TEXT_MAX];
    load(DOCUMENT, document);
    char *begin = strstr(document, BEGIN), *end = strstr(document, END);
    char *fields = fields_text(), *elements = elements_text();
    FILE *out = begin && end ? fopen(DOCUMENT, "w") : NULL;
    if (!out)
        return 1;
    fprintf(out, "%.*s%s%s%s", (int)(begin - document), document, BEGIN, fields, end);
    fclose(out);
    out = fopen(ELEMENTS, "w");
    if (!out)
        return 1;
    fputs(elements, out);
    fclose(out);
    free(fields);
    free(elements);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--write") == 0)
        return write_documents();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_document),
        cmocka_unit_test(test_element_list),
        cmocka_unit_test(test_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
