package wmts

import "encoding/xml"

// Namespaces of the documents.
const (
	ows   = "http://www.opengis.net/ows/1.1"
	xsi   = "http://www.w3.org/2001/XMLSchema-instance"
	xlink = "http://www.w3.org/1999/xlink"
	wmts  = "http://www.opengis.net/wmts/1.0"
)

// The capabilities document (OGC 07-057r7, 7.1). Elements stand in the order of the schema.
type (
	capabilitiesDoc struct {
		XMLName        xml.Name     `xml:"Capabilities"`
		Namespace      string       `xml:"xmlns,attr"`
		OWS            string       `xml:"xmlns:ows,attr"`
		XLink          string       `xml:"xmlns:xlink,attr"`
		Instance       string       `xml:"xmlns:xsi,attr"`
		Schema         string       `xml:"xsi:schemaLocation,attr"`
		Version        string       `xml:"version,attr"`
		UpdateSequence string       `xml:"updateSequence,attr,omitempty"`
		Identification *serviceDoc  `xml:"ows:ServiceIdentification"`
		Provider       *providerDoc `xml:"ows:ServiceProvider"`
		Operations     *struct {
			Operations []operationDoc `xml:"ows:Operation"`
		} `xml:"ows:OperationsMetadata"`
		Contents *contentsDoc `xml:"Contents"`
		Themes   *struct {
			Themes []themeDoc `xml:"Theme"`
		} `xml:"Themes"`
		MetadataURL *hrefDoc `xml:"ServiceMetadataURL"`
	}
	serviceDoc struct {
		Title       string   `xml:"ows:Title"`
		Abstract    string   `xml:"ows:Abstract,omitempty"`
		Keywords    []string `xml:"ows:Keywords>ows:Keyword"`
		Type        string   `xml:"ows:ServiceType"`
		TypeVersion string   `xml:"ows:ServiceTypeVersion"`
		Fees        string   `xml:"ows:Fees"`
		Constraints string   `xml:"ows:AccessConstraints"`
	}
	providerDoc struct {
		Name    string   `xml:"ows:ProviderName"`
		Site    *hrefDoc `xml:"ows:ProviderSite"`
		Contact struct {
			Mail string `xml:"ows:ContactInfo>ows:Address>ows:ElectronicMailAddress,omitempty"`
		} `xml:"ows:ServiceContact"`
	}
	operationDoc struct {
		Name string   `xml:"name,attr"`
		Gets []getDoc `xml:"ows:DCP>ows:HTTP>ows:Get"`
	}
	getDoc struct {
		Href       string        `xml:"xlink:href,attr"`
		Constraint constraintDoc `xml:"ows:Constraint"`
	}
	constraintDoc struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"ows:AllowedValues>ows:Value"`
	}
	hrefDoc struct {
		Href string `xml:"xlink:href,attr"`
	}
	contentsDoc struct {
		Layers []layerDoc `xml:"Layer"`
		Sets   []setDoc   `xml:"TileMatrixSet"`
	}
	layerDoc struct {
		Title       string        `xml:"ows:Title"`
		Abstract    string        `xml:"ows:Abstract,omitempty"`
		Box         boxDoc        `xml:"ows:WGS84BoundingBox"`
		ID          string        `xml:"ows:Identifier"`
		Styles      []styleDoc    `xml:"Style"`
		Formats     []string      `xml:"Format"`
		InfoFormats []string      `xml:"InfoFormat"`
		Dimension   *dimensionDoc `xml:"Dimension"`
		Links       []linkDoc     `xml:"TileMatrixSetLink"`
		Resources   []resourceDoc `xml:"ResourceURL"`
	}
	boxDoc struct {
		Lower string `xml:"ows:LowerCorner"`
		Upper string `xml:"ows:UpperCorner"`
	}
	crsBoxDoc struct {
		CRS   string `xml:"crs,attr"`
		Lower string `xml:"ows:LowerCorner"`
		Upper string `xml:"ows:UpperCorner"`
	}
	styleDoc struct {
		Default  bool      `xml:"isDefault,attr"`
		Title    string    `xml:"ows:Title"`
		Abstract string    `xml:"ows:Abstract,omitempty"`
		ID       string    `xml:"ows:Identifier"`
		Legend   legendDoc `xml:"LegendURL"`
	}
	legendDoc struct {
		Format string `xml:"format,attr"`
		Href   string `xml:"xlink:href,attr"`
		Width  int    `xml:"width,attr"`
		Height int    `xml:"height,attr"`
	}
	dimensionDoc struct {
		ID      string   `xml:"ows:Identifier"`
		Unit    string   `xml:"ows:UOM"`
		Default string   `xml:"Default"`
		Current bool     `xml:"Current"`
		Values  []string `xml:"Value"`
	}
	linkDoc struct {
		Set    string      `xml:"TileMatrixSet"`
		Limits []limitsDoc `xml:"TileMatrixSetLimits>TileMatrixLimits"`
	}
	limitsDoc struct {
		Matrix string `xml:"TileMatrix"`
		MinRow int    `xml:"MinTileRow"`
		MaxRow int    `xml:"MaxTileRow"`
		MinCol int    `xml:"MinTileCol"`
		MaxCol int    `xml:"MaxTileCol"`
	}
	resourceDoc struct {
		Format   string `xml:"format,attr"`
		Type     string `xml:"resourceType,attr"`
		Template string `xml:"template,attr"`
	}
	setDoc struct {
		Title    string      `xml:"ows:Title"`
		ID       string      `xml:"ows:Identifier"`
		Box      *crsBoxDoc  `xml:"ows:BoundingBox"`
		CRS      string      `xml:"ows:SupportedCRS"`
		Scales   string      `xml:"WellKnownScaleSet,omitempty"`
		Matrices []matrixDoc `xml:"TileMatrix"`
	}
	matrixDoc struct {
		ID         string `xml:"ows:Identifier"`
		Scale      string `xml:"ScaleDenominator"`
		Corner     string `xml:"TopLeftCorner"`
		TileWidth  int    `xml:"TileWidth"`
		TileHeight int    `xml:"TileHeight"`
		Width      int    `xml:"MatrixWidth"`
		Height     int    `xml:"MatrixHeight"`
	}
	themeDoc struct {
		Title  string   `xml:"ows:Title"`
		ID     string   `xml:"ows:Identifier"`
		Layers []string `xml:"LayerRef"`
	}
)
