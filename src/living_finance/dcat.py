"""DCAT descriptions as JSON-LD: what a release and the catalogue of products say alike. The same facts give the same bytes."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import rdflib
from rdflib.namespace import DCAT, DCTERMS, FOAF, RDF, RDFS, SKOS, XSD

BASE = "urn:living-finance:"
VCARD = rdflib.Namespace("http://www.w3.org/2006/vcard/ns#")
DCATAP = rdflib.Namespace("http://data.europa.eu/r5r/")
SCHEMA = rdflib.Namespace("http://schema.org/")
_AUTHORITY = "http://publications.europa.eu/resource/authority/"
FREQUENCY = {"monthly": rdflib.URIRef(_AUTHORITY + "frequency/MONTHLY")}
ACCESS = {
    "public": rdflib.URIRef(_AUTHORITY + "access-right/PUBLIC"),
    "releasable": rdflib.URIRef(_AUTHORITY + "access-right/RESTRICTED"),
    "internal": rdflib.URIRef(_AUTHORITY + "access-right/RESTRICTED"),
    "restricted": rdflib.URIRef(_AUTHORITY + "access-right/NON_PUBLIC"),
}

Both = tuple[str, str]
"""Korean and English."""


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """What is said of a dataset; what is empty is not said."""

    uri: str
    title: Both
    description: Both = ("", "")
    publisher: Both = ("", "")
    department: Both = ("", "")
    contact: str = ""
    licence_url: str = ""
    first_day: str = ""
    last_day: str = ""
    """ISO dates of the time described."""
    spatial: Both = ("", "")
    frequency: str = ""
    access: str = ""
    rights: Both = ("", "")
    legal_basis: Both = ("", "")
    sources: tuple[Both, ...] = ()
    version: str = ""
    keywords: tuple[Both, ...] = field(default_factory=tuple)


class Description:
    """A graph that grows by descriptions; nodes have names, so that nothing depends on chance."""

    def __init__(self) -> None:
        self.graph = rdflib.Graph()

    def say(self, subject: str, predicate: rdflib.URIRef, value: str | rdflib.term.Node, *, language: str = "") -> None:
        """One statement; an empty text is not said."""
        if isinstance(value, str) and not isinstance(value, rdflib.term.Node):
            if not value:
                return
            value = rdflib.Literal(value, lang=language or None)
        self.graph.add((rdflib.URIRef(subject), predicate, value))

    def say_both(self, subject: str, predicate: rdflib.URIRef, texts: Both) -> None:
        """A text in Korean and in English."""
        for language, text in zip(("ko", "en"), texts, strict=True):
            self.say(subject, predicate, text, language=language)

    def link(self, subject: str, predicate: rdflib.URIRef, target: str) -> None:
        """A statement about another node."""
        self.say(subject, predicate, rdflib.URIRef(target))

    def node(self, uri: str, kind: rdflib.URIRef) -> str:
        """A typed node."""
        self.say(uri, RDF.type, kind)
        return uri

    def part(
        self, subject: str, predicate: rdflib.URIRef, name: str, kind: rdflib.URIRef, label: rdflib.URIRef, texts: Both
    ) -> None:
        """A node that only holds a text about its subject."""
        if any(texts):
            target = self.node(f"{subject}#{name}", kind)
            self.say_both(target, label, texts)
            self.link(subject, predicate, target)

    def dataset(self, described: Dataset) -> str:
        """A dcat:Dataset."""
        uri = self.node(described.uri, DCAT.Dataset)
        self.say_both(uri, DCTERMS.title, described.title)
        self.say_both(uri, DCTERMS.description, described.description)
        self.part(uri, DCTERMS.publisher, "publisher", FOAF.Agent, FOAF.name, described.publisher)
        self.part(uri, DCAT.contactPoint, "department", VCARD.Organization, VCARD.fn, described.department)
        if described.contact and any(described.department):
            self.link(f"{uri}#department", VCARD.hasEmail, described.contact)
        if described.licence_url:
            self.link(uri, DCTERMS.license, described.licence_url)
        if described.first_day:
            period = self.node(f"{uri}#temporal", DCTERMS.PeriodOfTime)
            for name, day in (("startDate", described.first_day), ("endDate", described.last_day)):
                self.say(period, DCAT[name], rdflib.Literal(day, datatype=XSD.date))
            self.link(uri, DCTERMS.temporal, period)
        self.part(uri, DCTERMS.spatial, "spatial", DCTERMS.Location, SKOS.prefLabel, described.spatial)
        if described.frequency:
            self.say(uri, DCTERMS.accrualPeriodicity, FREQUENCY[described.frequency])
        if described.access:
            self.say(uri, DCTERMS.accessRights, ACCESS[described.access])
        self.part(uri, DCTERMS.rights, "rights", DCTERMS.RightsStatement, RDFS.label, described.rights)
        self.part(uri, DCATAP.applicableLegislation, "legal-basis", RDFS.Resource, DCTERMS.title, described.legal_basis)
        for number, source in enumerate(described.sources, 1):
            self.part(uri, DCTERMS.source, f"source-{number}", RDFS.Resource, DCTERMS.title, source)
        for keyword in described.keywords:
            self.say_both(uri, DCAT.keyword, keyword)
        # The namespace that rdflib ships is DCAT 2 and does not know it.
        self.say(uri, rdflib.URIRef(f"{DCAT}version"), described.version)
        return uri

    def distribution(self, dataset: str, path: str, *, media_type: str, size: int | None = None) -> None:
        """A file of a dataset."""
        uri = self.node(f"{dataset}:{path}", DCAT.Distribution)
        self.link(dataset, DCAT.distribution, uri)
        self.say(uri, DCTERMS.title, path)
        self.say(uri, DCAT.mediaType, media_type)
        if size is not None:
            self.say(uri, DCAT.byteSize, rdflib.Literal(size))

    def json_ld(self) -> str:
        """The graph as JSON-LD, everything in order."""
        nodes = json.loads(self.graph.serialize(format="json-ld"))
        for node in nodes:
            for key, values in node.items():
                if isinstance(values, list):
                    node[key] = sorted(values, key=lambda value: json.dumps(value, sort_keys=True))
        ordered = sorted(nodes, key=lambda node: str(node["@id"]))
        return json.dumps(ordered, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
