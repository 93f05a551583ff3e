"""Class names of the image datasets, in the order of their labels."""

from __future__ import annotations


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split("; "))


# batches.meta
CIFAR10 = _names("airplane; automobile; bird; cat; deer; dog; frog; horse; ship; truck")

# variants.txt of FGVC-Aircraft 2013b
AIRCRAFT = _names(
    "707-320; 727-200; 737-200; 737-300; 737-400; 737-500; 737-600; 737-700; 737-800; 737-900; 747-100; 747-200; "
    "747-300; 747-400; 757-200; 757-300; 767-200; 767-300; 767-400; 777-200; 777-300; A300B4; A310; A318; A319; A320; "
    "A321; A330-200; A330-300; A340-200; A340-300; A340-500; A340-600; A380; ATR-42; ATR-72; An-12; BAE 146-200; BAE "
    "146-300; BAE-125; Beechcraft 1900; Boeing 717; C-130; C-47; CRJ-200; CRJ-700; CRJ-900; Cessna 172; Cessna 208; "
    "Cessna 525; Cessna 560; Challenger 600; DC-10; DC-3; DC-6; DC-8; DC-9-30; DH-82; DHC-1; DHC-6; DHC-8-100; "
    "DHC-8-300; DR-400; Dornier 328; E-170; E-190; E-195; EMB-120; ERJ 135; ERJ 145; Embraer Legacy 600; Eurofighter "
    "Typhoon; F-16A/B; F/A-18; Falcon 2000; Falcon 900; Fokker 100; Fokker 50; Fokker 70; Global Express; Gulfstream "
    "IV; Gulfstream V; Hawk T1; Il-76; L-1011; MD-11; MD-80; MD-87; MD-90; Metroliner; Model B200; PA-28; SR-20; Saab "
    "2000; Saab 340; Spitfire; Tornado; Tu-134; Tu-154; Yak-42"
)

# classes.txt of CUB-200-2011
BIRDS = _names(
    "Black footed Albatross; Laysan Albatross; Sooty Albatross; Groove billed Ani; Crested Auklet; Least Auklet; "
    "Parakeet Auklet; Rhinoceros Auklet; Brewer Blackbird; Red winged Blackbird; Rusty Blackbird; Yellow headed "
    "Blackbird; Bobolink; Indigo Bunting; Lazuli Bunting; Painted Bunting; Cardinal; Spotted Catbird; Gray Catbird; "
    "Yellow breasted Chat; Eastern Towhee; Chuck will Widow; Brandt Cormorant; Red faced Cormorant; Pelagic "
    "Cormorant; Bronzed Cowbird; Shiny Cowbird; Brown Creeper; American Crow; Fish Crow; Black billed Cuckoo; "
    "Mangrove Cuckoo; Yellow billed Cuckoo; Gray crowned Rosy Finch; Purple Finch; Northern Flicker; Acadian "
    "Flycatcher; Great Crested Flycatcher; Least Flycatcher; Olive sided Flycatcher; Scissor tailed Flycatcher; "
    "Vermilion Flycatcher; Yellow bellied Flycatcher; Frigatebird; Northern Fulmar; Gadwall; American Goldfinch; "
    "European Goldfinch; Boat tailed Grackle; Eared Grebe; Horned Grebe; Pied billed Grebe; Western Grebe; Blue "
    "Grosbeak; Evening Grosbeak; Pine Grosbeak; Rose breasted Grosbeak; Pigeon Guillemot; California Gull; Glaucous "
    "winged Gull; Heermann Gull; Herring Gull; Ivory Gull; Ring billed Gull; Slaty backed Gull; Western Gull; Anna "
    "Hummingbird; Ruby throated Hummingbird; Rufous Hummingbird; Green Violetear; Long tailed Jaeger; Pomarine "
    "Jaeger; Blue Jay; Florida Jay; Green Jay; Dark eyed Junco; Tropical Kingbird; Gray Kingbird; Belted Kingfisher; "
    "Green Kingfisher; Pied Kingfisher; Ringed Kingfisher; White breasted Kingfisher; Red legged Kittiwake; Horned "
    "Lark; Pacific Loon; Mallard; Western Meadowlark; Hooded Merganser; Red breasted Merganser; Mockingbird; "
    "Nighthawk; Clark Nutcracker; White breasted Nuthatch; Baltimore Oriole; Hooded Oriole; Orchard Oriole; Scott "
    "Oriole; Ovenbird; Brown Pelican; White Pelican; Western Wood Pewee; Sayornis; American Pipit; Whip poor Will; "
    "Horned Puffin; Common Raven; White necked Raven; American Redstart; Geococcyx; Loggerhead Shrike; Great Grey "
    "Shrike; Baird Sparrow; Black throated Sparrow; Brewer Sparrow; Chipping Sparrow; Clay colored Sparrow; House "
    "Sparrow; Field Sparrow; Fox Sparrow; Grasshopper Sparrow; Harris Sparrow; Henslow Sparrow; Le Conte Sparrow; "
    "Lincoln Sparrow; Nelson Sharp tailed Sparrow; Savannah Sparrow; Seaside Sparrow; Song Sparrow; Tree Sparrow; "
    "Vesper Sparrow; White crowned Sparrow; White throated Sparrow; Cape Glossy Starling; Bank Swallow; Barn Swallow; "
    "Cliff Swallow; Tree Swallow; Scarlet Tanager; Summer Tanager; Artic Tern; Black Tern; Caspian Tern; Common Tern; "
    "Elegant Tern; Forsters Tern; Least Tern; Green tailed Towhee; Brown Thrasher; Sage Thrasher; Black capped Vireo; "
    "Blue headed Vireo; Philadelphia Vireo; Red eyed Vireo; Warbling Vireo; White eyed Vireo; Yellow throated Vireo; "
    "Bay breasted Warbler; Black and white Warbler; Black throated Blue Warbler; Blue winged Warbler; Canada Warbler; "
    "Cape May Warbler; Cerulean Warbler; Chestnut sided Warbler; Golden winged Warbler; Hooded Warbler; Kentucky "
    "Warbler; Magnolia Warbler; Mourning Warbler; Myrtle Warbler; Nashville Warbler; Orange crowned Warbler; Palm "
    "Warbler; Pine Warbler; Prairie Warbler; Prothonotary Warbler; Swainson Warbler; Tennessee Warbler; Wilson "
    "Warbler; Worm eating Warbler; Yellow Warbler; Northern Waterthrush; Louisiana Waterthrush; Bohemian Waxwing; "
    "Cedar Waxwing; American Three toed Woodpecker; Pileated Woodpecker; Red bellied Woodpecker; Red cockaded "
    "Woodpecker; Red headed Woodpecker; Downy Woodpecker; Bewick Wren; Cactus Wren; Carolina Wren; House Wren; Marsh "
    "Wren; Rock Wren; Winter Wren; Common Yellowthroat"
)

# the folders of DTD, sorted
TEXTURES = _names(
    "banded; blotchy; braided; bubbly; bumpy; chequered; cobwebbed; cracked; crosshatched; crystalline; dotted; "
    "fibrous; flecked; freckled; frilly; gauzy; grid; grooved; honeycombed; interlaced; knitted; lacelike; lined; "
    "marbled; matted; meshed; paisley; perforated; pitted; pleated; polka-dotted; porous; potholed; scaly; smeared; "
    "spiralled; sprinkled; stained; stratified; striped; studded; swirly; veined; waffled; woven; wrinkled; zigzagged"
)

# the 43 classes of GTSRB, as in the benchmark's legend
SIGNS = _names(
    "limit 20; limit 30; limit 50; limit 60; limit 70; limit 80; end of limit 80; limit 100; limit 120; no passing; "
    "no passing for lorries; right of way at the next crossing; priority road; give way; stop; no vehicles; no "
    "lorries; no entry; danger; bend to the left; bend to the right; double bend; bumpy road; slippery road; road "
    "narrows on the right; road works; traffic signals; pedestrians; children; bicycles; snow or ice; wild animals; "
    "end of all limits; turn right ahead; turn left ahead; straight ahead only; straight on or right; straight on or "
    "left; keep right; keep left; roundabout; end of no passing; end of no passing for lorries"
)

# imagelabels.mat of Oxford 102 Flowers; the names are torchvision's
FLOWERS = _names(
    "pink primrose; hard-leaved pocket orchid; canterbury bells; sweet pea; english marigold; tiger lily; moon "
    "orchid; bird of paradise; monkshood; globe thistle; snapdragon; colt's foot; king protea; spear thistle; yellow "
    "iris; globe-flower; purple coneflower; peruvian lily; balloon flower; giant white arum lily; fire lily; "
    "pincushion flower; fritillary; red ginger; grape hyacinth; corn poppy; prince of wales feathers; stemless "
    "gentian; artichoke; sweet william; carnation; garden phlox; love in the mist; mexican aster; alpine sea holly; "
    "ruby-lipped cattleya; cape flower; great masterwort; siam tulip; lenten rose; barbeton daisy; daffodil; sword "
    "lily; poinsettia; bolero deep blue; wallflower; marigold; buttercup; oxeye daisy; common dandelion; petunia; "
    "wild pansy; primula; sunflower; pelargonium; bishop of llandaff; gaura; geranium; orange dahlia; pink-yellow "
    "dahlia?; cautleya spicata; japanese anemone; black-eyed susan; silverbush; californian poppy; osteospermum; "
    "spring crocus; bearded iris; windflower; tree poppy; gazania; azalea; water lily; rose; thorn apple; morning "
    "glory; passion flower; lotus; toad lily; anthurium; frangipani; clematis; hibiscus; columbine; desert-rose; tree "
    "mallow; magnolia; cyclamen; watercress; canna lily; hippeastrum; bee balm; ball moss; foxglove; bougainvillea; "
    "camellia; mallow; mexican petunia; bromelia; blanket flower; trumpet creeper; blackberry lily"
)
