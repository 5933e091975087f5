from __future__ import annotations

import pytest

from libs.speech.text.ssml import Problem, SsmlError, parse_ssml


def problems(source: str) -> list[Problem]:
    with pytest.raises(SsmlError) as refused:
        parse_ssml(source)
    return refused.value.problems


def test_the_plain_text_is_what_stands_in_the_source() -> None:
    source = '<speak>Héllo <break time="1s"/>😀 A&amp;B &#x4F60;\r\n<sub alias="World Wide Web">WWW</sub></speak>'
    markup = parse_ssml(source)
    assert markup.plain == "Héllo 😀 A&B 你\nWWW"
    for character, origin in zip(markup.plain, markup.origins, strict=True):
        assert source[origin] == {"&": "&", "你": "&", "\n": "\r"}.get(character, character)


@pytest.mark.parametrize(
    ("inside", "plain", "origins"),
    [
        ("a😀b", "a😀b", [0, 1, 2]),
        ("&lt;&gt;&amp;&quot;&apos;x", "<>&\"'x", [0, 4, 8, 13, 19, 25]),
        ("&#128512;&#x1F600;x", "😀😀x", [0, 9, 18]),
        ("<![CDATA[<b>]]>é", "<b>é", [9, 10, 11, 15]),
        ("é<!-- <b> & -->x", "éx", [0, 15]),
        ("你<p>好</p>", "你好", [0, 4]),
    ],
    ids=["astral", "entities", "numbers", "cdata", "comment", "element"],
)
def test_origins_are_code_points_of_the_source(inside: str, plain: str, origins: list[int]) -> None:
    markup = parse_ssml(f"<speak>{inside}</speak>")
    assert markup.plain == plain
    assert [origin - len("<speak>") for origin in markup.origins] == origins


@pytest.mark.parametrize(
    ("source", "position", "says"),
    [
        ("", 0, "begins with <speak>"),
        ("hello", 0, "begins with <speak>"),
        ("<p>x</p>", 0, "into one <speak>"),
        ("<speak>", 7, "ends before </speak>"),
        ("<speak/>x", 8, "ends with </speak>"),
        ("<speak>😀é <b>x</b></speak>", 10, "the elements are p, s, break"),
        ("<speak><speak/></speak>", 7, "not allowed here"),
        ("<speak>😀<s>x</p></speak>", 12, "write </s> before"),
        ("<speak>Q & A</speak>", 9, "&amp;"),
        ("<speak>1 < 2</speak>", 9, "&lt;"),
        ("<speak>a&nbsp;b</speak>", 8, "&nbsp; is unknown"),
        ("<speak>&#1;</speak>", 7, "not well-formed"),
        ("<!DOCTYPE speak><speak/>", 0, "document type declaration"),
        ("<speak><?php x?></speak>", 7, "processing instruction"),
        ("<speak>é\ud83dx</speak>", 8, "surrogate"),
        ("<speak>x<break time='10001ms'/></speak>", 15, "at most 10 s"),
        ("<speak><break time='1 hour'/></speak>", 14, "500ms or 1.2s"),
        ("<speak><break>x</break></speak>", 14, "write <break/>"),
        ("<speak><prosody rate='4.01'>x</prosody></speak>", 16, "0.25 to 4"),
        ("<speak><prosody rate='24%'>x</prosody></speak>", 16, "0.25 to 4"),
        ("<speak><prosody rate='+301%'>x</prosody></speak>", 16, "0.25 to 4"),
        ("<speak><prosody rate='nan'>x</prosody></speak>", 16, "0.25 to 4"),
        ("<speak><prosody pitch='120Hz'>x</prosody></speak>", 16, "-3st to +9st"),
        ("<speak><prosody pitch='+10st'>x</prosody></speak>", 16, "-3st to +9st"),
        ("<speak><prosody volume='+4dB'>x</prosody></speak>", 16, "+3dB"),
        ("<speak><prosody>x</prosody></speak>", 7, "one of rate, pitch, range, volume"),
        ("<speak><voice name='Bob'>x</voice></speak>", 14, "gender, xml:lang"),
        ("<speak><lang>x</lang></speak>", 7, "needs xml:lang"),
        ("<speak><lang xml:lang='tlh'>x</lang></speak>", 13, "no voice speaks"),
        ("<speak><lang xml:lang='not a tag'>x</lang></speak>", 13, "language tag"),
        ("<speak><say-as interpret-as='date'>x</say-as></speak>", 15, "characters, telephone"),
        ("<speak><sub alias=' '>x</sub></speak>", 12, "1 to 500"),
        ("<speak><sub alias='x'/></speak>", 7, "write some in it"),
        ("<speak><sub alias='x'>a<break/></sub></speak>", 23, "text alone"),
        ("<speak><phoneme alphabet='x-sampa' ph='a'>a</phoneme></speak>", 16, "ipa"),
        ("<speak><phoneme ph='a§'>a</phoneme></speak>", 16, "phonetic alphabet"),
        ("<speak><mark name='&lt;'/></speak>", 13, "letters"),
        ("<speak><emphasis level='very'>x</emphasis></speak>", 17, "strong, moderate"),
        ("<speak onload='x'/>", 7, "xml:lang, version, xmlns"),
    ],
    ids=lambda value: None if isinstance(value, int) else value[:44].encode("ascii", "replace").decode(),
)
def test_what_is_wrong_is_said_with_its_place(source: str, position: int, says: str) -> None:
    (problem,) = problems(source)
    assert says in problem.message
    assert (problem.position, problem.line, problem.column) == (position, 1, position + 1)


def test_all_problems_are_said_at_once() -> None:
    source = '<speak>\n  <b>😀</b> <break time="11s" foo="time=1"/>\n  <prosody rate="x">\n</speak>'
    found = [(problem.line, problem.column, source[problem.position :][:4]) for problem in problems(source)]
    assert found == [(2, 3, "<b> "[:3] + "😀"), (2, 19, "time"), (2, 30, "foo="), (3, 12, "rate"), (4, 1, "</sp")]


def test_no_entities_can_be_declared() -> None:
    bomb = '<!DOCTYPE speak [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><speak>&b;</speak>'
    assert "document type declaration" in problems(bomb)[0].message
    external = '<!DOCTYPE speak SYSTEM "file:///etc/hostname"><speak/>'
    assert "document type declaration" in problems(external)[0].message


def test_depth_and_number_of_elements_are_bounded() -> None:
    assert parse_ssml("<speak>" + "<p>" * 31 + "x" + "</p>" * 31 + "</speak>").plain == "x"
    assert "32 deep" in problems("<speak>" + "<p>" * 100_000)[0].message
    assert parse_ssml("<speak>" + "<p/>" * 9_999 + "</speak>").plain == ""
    assert "10,000 elements" in problems("<speak>" + "<p/>" * 10_000 + "</speak>")[0].message
    nested = '<prosody rate="1.1">' * 11 + "x" + "</prosody>" * 11
    assert "10 deep" in problems(f"<speak>{nested}</speak>")[0].message
    assert len(problems("<speak>" + "<b/>" * 9_000 + "</speak>")) == 100


def test_the_language_of_the_document_is_told() -> None:
    assert parse_ssml('<speak xml:lang="pt-BR">x</speak>').language == "pt-BR"
    assert parse_ssml("<speak>x</speak>").language is None
