// Package common holds what every OGC API building block shares: links,
// content negotiation, problems (RFC 9457), the parsers of bbox, datetime and
// CRS, the HTML look, and the resources of OGC API Common (landing page,
// conformance, collections).
//
// The other packages under ogc build on it and do not know each other.
package common
