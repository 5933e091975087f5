"""How languages write what looks like the end of a sentence and is none: abbreviations, ordinals, initials."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Habits:
    """What a language's writers put before and after a full stop. Words are in lower case, without their last stop.

    `inside` never end a sentence ("Dr."), `either` end one where a capital follows ("etc."), `numbering` end one where
    no number follows ("No."). `starters` begin sentences and no names, so that a stop before them is a real one even
    after an initial or one of the `doubtful`, which are words as well or end addresses ("St."). `ordinals` tells
    whether a number with a stop is an ordinal ("3. Mai").
    """

    inside: frozenset[str]
    either: frozenset[str]
    numbering: frozenset[str]
    starters: frozenset[str]
    doubtful: frozenset[str]
    ordinals: bool


def habits_of(language: str) -> Habits:
    """Return the habits of a BCP-47 tag in any case; a language that is not in the table is read as English."""
    return _HABITS.get(language.lower().replace("_", "-").partition("-")[0], _ENGLISH)


def _habits(
    inside: str, either: str, numbering: str, starters: str, doubtful: str = "", *, ordinals: bool = False
) -> Habits:
    return Habits(
        _words(inside), _words(either), _words(numbering), _words(starters), _words(doubtful), ordinals=ordinals
    )


def _words(words: str) -> frozenset[str]:
    return frozenset(words.split())


_ENGLISH = _habits(
    "mr mrs ms messrs mx dr prof rev fr sr jr hon gen col maj capt cpt lt cmdr sgt cpl adm gov sen rep pres ste "
    "vs v e.g i.e eg ie cf viz al ca approx dept univ asst assoc esp incl resp mme mlle",
    "etc inc ltd co corp bros llc plc ave blvd rd bldg est a.m p.m am pm b.c a.d b.c.e c.e ph.d m.d b.a m.a d.c "
    "jan feb mar apr jun jul aug sep sept oct nov dec mon tue tues wed thu thur thurs fri sat sun",
    "no nos nr p pp vol vols fig figs art sec ch chap eq ver op ext jan feb mar apr jun jul aug sep sept oct nov dec",
    "the it he she they we you i this that these those there here but and or so if when while after before because "
    "then my your his her its our their what who why how where as at in on for from with to not no yes now all one",
)
_GERMAN = _habits(
    "dr prof hr fr hrn dipl ing hl sr jr z.b d.h i.d.r u.a v.a o.ä u.u z.t z.zt bzw bspw ggf ca evtl vgl "
    "inkl exkl zzgl abzgl co mio mrd tsd sog geb gest ehem allg insb insbes tel str dt "
    "engl frz v m.e i.a a.d s.o",
    "usw etc u.s.w u.v.m u.v.a v.chr n.chr v.u.z gmbh jh jhd std f ff",
    "nr nrn s bd bde abb abs art kap hbd ziff tab fig anm jg aufl",
    "der die das den dem ein eine es er sie wir ihr ich du man dies diese dieser dieses jener und aber oder doch wenn "
    "als da dann danach deshalb trotzdem hier dort so nun jetzt was wer wie wo warum nach vor im in am an auf aus bei "
    "mit von zu für seit nicht kein auch nur noch schon alle alles später heute gestern morgen",
    "mag st max min lat",
    ordinals=True,
)
_FRENCH = _habits(
    "m mm mme mmes mlle mlles mr mrs dr pr prof me mgr st ste cf p.ex ex env "
    "c.-à-d c.à.d i.e e.g av apr bd boul r.-v tél hab janv févr "
    "juil sept oct nov déc",
    "etc j.-c cie ltd inc s.a p.s",
    "n no art p pp vol chap fig t éd al",
    "le la les l un une des il elle ils elles on nous vous je tu ce cet cette ces c et mais ou donc or ni car si quand "
    "comme puis alors ensuite après avant dans en sur sous avec pour par à au aux ici là où qui que quoi non oui",
)
_SPANISH = _habits(
    "ee sr sra srta sres dr dra d dña prof profa lic ing arq gral cnel cap sto sta fr excmo excma ilmo p.ej ej vd "
    "vds ud uds av avda dpto aprox cía cf tel adj atte pdte",
    "etc a.c d.c ee.uu s.a s.l c.v a.m p.m p.d",
    "n no núm nº pág págs p pp art cap vol fig t ed",
    "el la los las un una unos unas él ella ellos ellas yo tú nosotros esto este esta ese esa aquel y pero o ni si "
    "cuando como luego entonces después antes en por para con sin sobre desde hasta aquí allí no sí qué quién ya",
)
_ITALIAN = _habits(
    "sig sigg sig.ra sig.na dott dott.ssa dr prof prof.ssa ing avv arch geom rag on sen mons s ss spett egr gent p.es "
    "es cfr ca c.a tel v ecc.mo",
    "ecc etc a.c d.c s.p.a s.r.l n.d.r",
    "n nn p pp pag pagg art artt cap vol fig ed",
    "il lo la i gli le l un uno una lui lei noi voi loro io tu questo questa quello quella e ma o se quando come poi "
    "allora dopo prima in nel nella su per con da di a al alla non sì qui lì dove chi che cosa ora",
)
_PORTUGUESE = _habits(
    "ee sr sra srta srs dr dra d prof profa eng arq exmo exma gen cel cap sto sta p.ex ex aprox av tel cf v",
    "etc a.c d.c s.a ltda cia e.u.a p.s",
    "n no nº núm pág págs p pp art cap vol fig ed",
    "o a os as um uma ele ela eles elas eu tu nós você isto isso este esta esse essa e mas ou se quando como depois "
    "então antes em no na nos nas por para com sem sobre de do da não sim aqui ali onde quem que já",
)
_RUSSIAN = _habits(
    "т.е т.к т.н т.о т.ч и.о проф акад доц д-р г-н г-жа гр тов ул пр просп пер пл наб бул обл р-н пос дер см ср "
    "напр прим тел моб эт оф корп стр нач зам зав гл ред изд англ нем фр лат рус букв сокр",
    "и.т.д и.т.п т.д т.п и.др и.пр др пр н.э г гг в вв руб коп тыс млн млрд трлн чел кг км см мм мин сек час ч",
    "с стр рис табл п пп ст гл № кв д корп вып том т",
    "он она оно они мы вы я ты это этот эта эти тот та те и но а или да если когда как потом затем после до в во на по "
    "за из от к ко у о об с со не нет там здесь тут где кто что так уже все всё",
    "им св",
)
_POLISH = _habits(
    "dr prof mgr inż hab ks p pp św gen płk kpt mjr ul al pl os woj pow gm np tzn tzw tj m.in ok por zob im red inc "
    "płd płn wsch zach ang niem łac fr ros",
    "itd itp etc r w n.e p.n.e godz zł gr tys mln mld",
    "nr str s t rys tab art ust poz wyd rozdz",
    "to ten ta te on ona ono oni one my wy ja ty i a ale lub albo jeśli gdy kiedy jak potem następnie po przed w we na "
    "za z ze do od o u nie tak tam tu gdzie kto co już",
    ordinals=True,
)
_DUTCH = _habits(
    "dhr mevr mej mw dr drs prof ir ing mr st bijv b.v bv d.w.z o.a m.a.w i.p.v t.o.v m.b.t n.a.v t/m ca evt incl "
    "excl resp vgl zgn z.g.n jl jhr",
    "enz etc n.chr v.chr e.d e.a n.v b.v",
    "nr nrs blz p pag art hfst fig afb deel",
    "de het een hij zij ze wij we jij je ik u dit dat deze die er en maar of als toen wanneer daarna dan na voor in op "
    "aan bij met van te naar niet geen ook nu hier daar waar wie wat hoe waarom",
)
_UKRAINIAN = _habits(
    "т.зв проф акад доц вул пл просп обл р-н смт см напр ім св зав заст англ нім",
    "і.т.д і.т.п т.д т.п та.ін ін р рр ст грн коп тис млн млрд н.е",
    "с стор рис табл п № кв буд",
    "він вона воно вони ми ви я ти це цей ця ці той та і й але або якщо коли як потім після до в у на по за з від не",
)
_CZECH = _habits(
    "dr prof doc mgr ing mudr judr phdr bc sv např tzv tzn tj mj resp popř cca ul nám p pí sl vč",
    "atd apod aj etc n.l př.n.l s.r.o a.s hod kč tis mil",
    "č str s obr tab odst kap sv",
    "to ten ta on ona ono oni my vy já ty a ale nebo když pokud jak pak potom po před v ve na za z ze do od o u",
    ordinals=True,
)
_NORDIC = _habits(
    "dr prof hr fr st f.eks fx bl.a dvs ca jf jfr pga mht evt ev inkl ekskl t.ex s.k d.v.s kl tlf",
    "osv m.m m.fl mfl etc o.s.v f.kr e.kr",
    "nr s kap fig tab bd",
    "det den de han hun hon vi du jeg jag og och men eller hvis om når när da då så her här der där i på av af med til "
    "till for för fra från etter efter ikke inte en et ett",
    ordinals=True,
)
_HINDI = _habits("डॉ श्री श्रीमती सुश्री प्रो कु पं रु स्व मो", "", "", "")
_BENGALI = _habits("ডা ড ডঃ মো মোঃ প্রফেসর অধ্যা রু", "", "", "")
_ORDINALS = _habits("dr prof st", "", "nr", "", ordinals=True)

_HABITS = {
    "en": _ENGLISH, "de": _GERMAN, "lb": _GERMAN, "fr": _FRENCH, "es": _SPANISH, "ca": _SPANISH, "it": _ITALIAN,
    "pt": _PORTUGUESE, "ru": _RUSSIAN, "be": _RUSSIAN, "uk": _UKRAINIAN, "pl": _POLISH, "nl": _DUTCH, "af": _DUTCH,
    "cs": _CZECH, "sk": _CZECH, "da": _NORDIC, "nb": _NORDIC, "nn": _NORDIC, "no": _NORDIC, "sv": _NORDIC,
    "hi": _HINDI, "mr": _HINDI, "ne": _HINDI, "bn": _BENGALI,
    **dict.fromkeys(("fi", "et", "hu", "tr", "hr", "sr", "bs", "sl", "lv", "lt", "is", "ka", "az", "eu"), _ORDINALS),
}  # fmt: skip
