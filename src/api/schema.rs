//! Schemas of representations: as what is written, with `meta` and read-only members. `openapi` makes their members required.

use std::borrow::Cow;
use std::marker::PhantomData;

use utoipa::__dev::ComposeSchema;
use utoipa::openapi::schema::{AdditionalProperties, Object, Schema};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use super::representation::{Meta, Represented, Resource};
use super::v1::elements::{Element, ElementMeta};

/// The schema of an element as it is answered.
pub struct RepresentedElement<E>(PhantomData<E>);

fn object<T: PartialSchema>() -> Object {
    match T::schema() {
        RefOr::T(Schema::Object(object)) => object,
        _ => Object::new(),
    }
}

fn representation<T: PartialSchema, Extra: PartialSchema>(meta: &str) -> RefOr<Schema> {
    let mut whole = object::<T>();
    let extra = object::<Extra>();
    whole.properties.extend(extra.properties);
    whole.properties.insert("meta".to_owned(), RefOr::Ref(Ref::from_schema_name(meta)));
    whole.required = whole.properties.keys().cloned().collect();
    // Clients tolerate new members.
    whole.additional_properties = None::<Box<AdditionalProperties<Schema>>>;
    RefOr::T(Schema::Object(whole))
}

fn with<T: ToSchema>(schemas: &mut Vec<(String, RefOr<Schema>)>) {
    schemas.push((T::name().into_owned(), T::schema()));
    T::schemas(schemas);
}

// What the derive would implement; utoipa has no public way to give a generic type a schema by hand.
impl<R: Resource> ComposeSchema for Represented<R> {
    fn compose(_: Vec<RefOr<Schema>>) -> RefOr<Schema> {
        representation::<R, R::Extra>("Meta")
    }
}

impl<R: Resource> ToSchema for Represented<R> {
    fn name() -> Cow<'static, str> {
        R::REPRESENTATION.into()
    }
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        with::<R>(schemas);
        with::<Meta>(schemas);
    }
}

impl<E: Element> ComposeSchema for RepresentedElement<E> {
    fn compose(_: Vec<RefOr<Schema>>) -> RefOr<Schema> {
        representation::<E, super::representation::NoExtra>("ElementMeta")
    }
}

impl<E: Element> ToSchema for RepresentedElement<E> {
    fn name() -> Cow<'static, str> {
        E::REPRESENTATION.into()
    }
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        with::<E>(schemas);
        with::<ElementMeta>(schemas);
    }
}
