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
SPDX = rdflib.Namespace("http://spdx.org/rdf/terms#")
_MEDIA_TYPES = "https://www.iana.org/assignments/media-types/"
_PUBLISHER_TYPES = "http://purl.org/adms/publishertype/"
FREQUENCY = {"monthly": rdflib.URIRef(_AUTHORITY + "frequency/MONTHLY")}
ACCESS = {"public": "PUBLIC", "releasable": "RESTRICTED", "internal": "RESTRICTED", "restricted": "NON_PUBLIC"}
"""Level of the catalogue → code of the access-right authority."""


def access_right(code: str) -> str:
    """URI of an access right: PUBLIC, RESTRICTED, NON_PUBLIC."""
    return f"{_AUTHORITY}access-right/{code}"


Both = tuple[str, str]
"""Korean and English."""


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """What is said of a dataset; what is empty is not said."""

    uri: str
    title: Both
    description: Both = ("", "")
    publisher: Both = ("", "")
    publisher_type: str = ""
    """Of the ADMS list: RegionalAuthority."""
    department: Both = ("", "")
    contact: str = ""
    """mailto: or https: of the department."""
    licence_url: str = ""
    first_day: str = ""
    last_day: str = ""
    """ISO dates of the time described."""
    spatial: Both = ("", "")
    spatial_url: str = ""
    frequency: str = ""
    access: str = ""
    """Code of the access-right authority."""
    themes: tuple[str, ...] = ()
    """Codes of the data-theme authority."""
    conforms_to: tuple[str, ...] = ()
    rights: Both = ("", "")
    legal_basis: Both = ("", "")
    sources: tuple[Both, ...] = ()
    version: str = ""
    keywords: tuple[Both, ...] = field(default_factory=tuple)


@dataclass(frozen=True, kw_only=True)
class File:
    """What is said of a file of a dataset; what is empty is not said."""

    path: str
    media_type: str
    size: int | None = None
    sha256: str = ""
    kind: str = ""
    """Code of the file-type authority."""
    description: Both = ("", "")
    access_url: str = ""
    download_url: str = ""
    licence_url: str = ""
    rights: str = ""
    """Node of a statement of rights."""
    availability: str = ""
    """Code of the planned-availability authority."""
    conforms_to: str = ""


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
        if any(described.publisher) and described.publisher_type:
            self.link(f"{uri}#publisher", DCTERMS.type, _PUBLISHER_TYPES + described.publisher_type)
        if described.contact and any(described.department):
            kind = VCARD.hasEmail if described.contact.startswith("mailto:") else VCARD.hasURL
            self.link(f"{uri}#department", kind, described.contact)
        if described.licence_url:
            self.link(uri, DCTERMS.license, described.licence_url)
        if described.first_day:
            period = self.node(f"{uri}#temporal", DCTERMS.PeriodOfTime)
            for name, day in (("startDate", described.first_day), ("endDate", described.last_day)):
                self.say(period, DCAT[name], rdflib.Literal(day, datatype=XSD.date))
            self.link(uri, DCTERMS.temporal, period)
        if described.spatial_url:
            place = self.node(described.spatial_url, DCTERMS.Location)
            self.say_both(place, SKOS.prefLabel, described.spatial)
            self.link(uri, DCTERMS.spatial, place)
        else:
            self.part(uri, DCTERMS.spatial, "spatial", DCTERMS.Location, SKOS.prefLabel, described.spatial)
        if described.frequency:
            self.say(uri, DCTERMS.accrualPeriodicity, FREQUENCY[described.frequency])
        if described.access:
            self.link(uri, DCTERMS.accessRights, access_right(described.access))
        for theme in described.themes:
            self.link(uri, DCAT.theme, f"{_AUTHORITY}data-theme/{theme}")
        for standard in described.conforms_to:
            self.link(uri, DCTERMS.conformsTo, standard)
        self.part(uri, DCTERMS.rights, "rights", DCTERMS.RightsStatement, RDFS.label, described.rights)
        self.part(uri, DCATAP.applicableLegislation, "legal-basis", RDFS.Resource, DCTERMS.title, described.legal_basis)
        for number, source in enumerate(described.sources, 1):
            self.part(uri, DCTERMS.source, f"source-{number}", RDFS.Resource, DCTERMS.title, source)
        for keyword in described.keywords:
            self.say_both(uri, DCAT.keyword, keyword)
        # The namespace that rdflib ships is DCAT 2 and does not know it.
        self.say(uri, rdflib.URIRef(f"{DCAT}version"), described.version)
        return uri

    def distribution(self, dataset: str, file: File) -> None:
        """A file of a dataset."""
        uri = self.node(f"{dataset}:{file.path}", DCAT.Distribution)
        self.link(dataset, DCAT.distribution, uri)
        self.say(uri, DCTERMS.title, file.path)
        self.say_both(uri, DCTERMS.description, file.description)
        links = {
            DCAT.mediaType: _MEDIA_TYPES + file.media_type,
            DCTERMS["format"]: file.kind and f"{_AUTHORITY}file-type/{file.kind}",
            DCAT.accessURL: file.access_url,
            DCAT.downloadURL: file.download_url,
            DCTERMS.license: file.licence_url,
            DCTERMS.rights: file.rights,
            DCATAP.availability: file.availability and f"{_AUTHORITY}planned-availability/{file.availability}",
            DCTERMS.conformsTo: file.conforms_to,
        }
        for predicate, target in links.items():
            if target:
                self.link(uri, predicate, target)
        if file.size is not None:
            self.say(uri, DCAT.byteSize, rdflib.Literal(file.size, datatype=XSD.nonNegativeInteger))
        if file.sha256:
            checksum = self.node(f"{uri}#checksum", SPDX.Checksum)
            self.link(checksum, SPDX.algorithm, SPDX.checksumAlgorithm_sha256)
            self.say(checksum, SPDX.checksumValue, rdflib.Literal(file.sha256, datatype=XSD.hexBinary))
            self.link(uri, SPDX.checksum, checksum)

    def json_ld(self) -> str:
        """The graph as JSON-LD, everything in order."""
        nodes = json.loads(self.graph.serialize(format="json-ld"))
        for node in nodes:
            for key, values in node.items():
                if isinstance(values, list):
                    node[key] = sorted(values, key=lambda value: json.dumps(value, sort_keys=True))
        ordered = sorted(nodes, key=lambda node: str(node["@id"]))
        return json.dumps(ordered, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
