"""Cognito's sign-in by others, such as Google: recorded, nobody is sent there."""

from __future__ import annotations

from gymops.local.plane.types.kind import Kind, Made, Props


class IdentityProvider(Kind):
    """Somebody else who may say who signs in; ``Ref`` gives its name."""

    name = "AWS::Cognito::UserPoolIdentityProvider"
    gone = frozenset({"ResourceNotFoundException"})
    in_place = frozenset({"ProviderDetails", "AttributeMapping", "IdpIdentifiers"})

    def create(self, logical_id: str, props: Props, stack: str) -> Made:
        del logical_id, stack
        self.calls.client("cognito-idp").create_identity_provider(**props)
        return props["ProviderName"], {}

    def change(self, physical_id: str, old: Props, new: Props) -> Made:
        del old
        given = {key: new[key] for key in (*self.in_place, "UserPoolId") if key in new}
        self.calls.client("cognito-idp").update_identity_provider(ProviderName=physical_id, **given)
        return physical_id, {}

    def remove(self, physical_id: str, props: Props) -> None:
        self.calls.client("cognito-idp").delete_identity_provider(
            UserPoolId=props["UserPoolId"], ProviderName=physical_id
        )
