// Package wms serves the Web Map Service 1.3.0 and 1.1.1.
package wms
